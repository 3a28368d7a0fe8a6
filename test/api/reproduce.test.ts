import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import sharp from 'sharp'
import t from 'tap'
import {
  type CrossValidation,
  crossValidate,
  evaluate,
  loadModel,
  type Pixels,
  type ProgressEvent,
  type ReproduceOptions,
  type Reproduction,
  readDataset,
  reproduce,
  type Sample,
  type SegmentationEvaluation,
} from '../../ts/index'
import { PlanProgress } from '../../ts/reproduction/progress'
import { repositoryRoot, smallSamples } from './small'
import { writeSamples } from './written-samples'

const jcs = join(repositoryRoot, 'dist', 'cli', 'main.js')

/** Infected slices of four phantoms with masks, in two folds. */
async function writeData(directory: string): Promise<string> {
  const samples = smallSamples(4, 6).filter(({ label }) => label === 1)
  for (const [index, { mask }] of samples.entries()) {
    const { data, width, height } = mask as Pixels
    const gray = (data as Uint8Array).map((value) => (value ? 255 : 0))
    await sharp(gray, { raw: { width, height, channels: 1 } })
      .png()
      .toFile(join(directory, `mask-${index}.png`))
  }
  return writeSamples(
    directory,
    'mask,patient,fold',
    samples,
    ({ patient }: Sample, i) => `mask-${i}.png,${patient},${Number(patient!.split('-')[0]) % 2}`,
  )
}

const small = { width: 0.125, inputSize: 64, epochs: 2, seeds: [0, 3] }

t.test('tables are what cross-validation gives, with paired differences', async (t) => {
  const root = t.testdir()
  const data = await writeData(root)
  const directory = join(root, 'out')
  const uninfected = smallSamples(1, 4).map((sample) => ({ ...sample, mask: undefined, label: 0 as const }))
  const events: ProgressEvent[] = []
  const given: ReproduceOptions = {
    experiments: ['figure-11', 'table-6'],
    data,
    uninfected,
    settings: small,
    directory,
    precision: 'fp32',
    threads: 2,
  }
  const result = await reproduce({ ...given, onProgress: (event) => events.push(event) })
  t.same(
    result.tables.map(({ experiment, rows }) => [experiment, rows.map(({ network }) => network)]),
    [['table-6', ['segmentation', 'joint']]],
  )
  const [row, joint] = result.tables[0]!.rows
  t.same(row!.published, { dice: 77.5, iou: 65.4, eMeasure: 92 })
  t.equal(row!.difference, undefined, 'is what is compared with')

  // The same network validated without all this.
  const common = {
    task: 'segmentation',
    recipe: 'scratch',
    data,
    precision: 'fp32',
    threads: 2,
    inputSize: 64,
    epochs: 2,
    seeds: [0, 3],
    ema: { decay: 0.99 },
    evaluation: { bootstrap: { draws: true } },
  } as const
  const own = await crossValidate({
    ...common,
    batchSize: 4,
    spec: { network: 'jcs-segmentation', width: 0.125 },
  })
  for (const metric of ['dice', 'iou', 'eMeasure', 'dicePooled', 'mIoU'] as const)
    t.same(row!.measured[metric], own.metrics[metric], metric)
  const other = await crossValidate({
    ...common,
    batchSize: 4,
    spec: { network: 'jcs-joint', width: 0.125 },
    classifierTraining: {
      recipe: 'scratch',
      inputSize: 64,
      epochs: 2,
      batchSize: 8,
      ema: { decay: 0.99 },
      spec: { network: 'res2net50-v1b', width: 0.125 },
      uninfected,
    },
  })
  const { difference } = joint!
  const close = (a: number, b: number) => Math.abs(a - b) < 1e-12
  const bySeed = ({ runs }: CrossValidation, seed: number) => {
    const values = runs.filter((run) => run.seed === seed).map(({ metrics }) => metrics.dice!)
    return values.reduce((sum, value) => sum + value, 0) / values.length
  }
  const [a, b] = [0, 3].map((seed) => bySeed(other, seed) - bySeed(own, seed)) as [number, number]
  t.ok(close(difference!.dice.mean, (a + b) / 2))
  t.ok(close(difference!.dice.betweenSeeds!, Math.abs(a - b) / Math.SQRT2))
  const paired = other.draws!.dice!.map((value, r) => value - own.draws!.dice![r]!)
  const [low, high] = difference!.dice.interval!
  const inside = paired.filter((value) => value >= low && value <= high).length / paired.length
  t.ok(inside >= 0.95 && low <= high, `${inside} of the paired draws lie within`)

  const { lesions } = result
  const held = other.runs.filter(({ seed }) => seed === 0).flatMap(({ slices }) => slices!)
  t.same(
    lesions!.points,
    held.map(({ areaPixels, lesions, dice }) => ({ areaPixels, lesions, dice })),
  )
  t.equal(lesions!.slices, held.length)
  const { good, bad, failed } = lesions!.shares
  t.ok(close(good + bad + failed, 1))
  t.equal(good, held.filter(({ dice }) => dice >= 0.6).length / held.length)
  const counted = lesions!.byLesions.map(({ slices }) => slices)
  t.equal(
    counted.reduce((sum, count) => sum + count, 0),
    held.length,
  )
  t.match(result, { samples: held.length, folds: 2, device: 'cpu', precision: 'fp32', warnings: [] })

  const trained = events.flatMap((event) => (event.phase === 'reproduce' ? [event] : []))
  t.equal(trained.length, 16, 'before and after each of eight trainings')
  t.ok(trained.every(({ total, done }, i) => total === 8 && done === Math.ceil(i / 2)))
  t.same([...new Set(trained.map(({ network }) => network))], ['EFM and AFF', 'JCS, + CLS'])
  t.equal(trained.at(-1)!.etaMs, 0)
  t.ok(events.some((event) => event.phase === 'train' && event.etaMs! > 0))
  t.notOk(events.some((event) => (event.phase as string) === 'cross-validate'))

  t.same(JSON.parse(readFileSync(result.files.json, 'utf8')), JSON.parse(JSON.stringify(result)))
  const markdown = readFileSync(result.files.markdown, 'utf8')
  t.match(markdown, /\| JCS, \+ CLS \| .*\| [+−]\d+\.\d ± \d+\.\d \([+−].* \| 78\.5 \/ 66\.4 \/ 92\.7 \|/)
  t.match(markdown, /not a medical device/)
  const page = readFileSync(result.files.page, 'utf8')
  t.match(page, /Table VI: with the features of the classifier/)
  t.equal(page.match(/<circle/g)!.length, held.length)
  t.notMatch(page, /https?:\/\//, 'asks the network for nothing')

  const again: ProgressEvent[] = []
  t.same(await reproduce({ ...given, onProgress: (event) => again.push(event) }), result)
  t.notOk(
    again.some(({ phase }) => phase === 'train'),
    'nothing is trained twice',
  )
  await t.rejects(reproduce({ ...given, settings: { ...small, epochs: 3 } }), { code: 'RESUME_MISMATCH' })
})

t.test('the time that is left is by what steps cost, and by how fast they go', async (t) => {
  const progress = new PlanProgress(60)
  const startMs = performance.now()
  const train = {
    phase: 'train',
    epoch: 1,
    epochs: 1,
    iteration: 1,
    iterations: 1,
    loss: 1,
    losses: {},
  } as const
  const event = { ...train, learningRate: 1, total: 10, etaMs: 12345 }
  const leftMs = (done: number) => {
    const told = progress.of({ ...event, done })
    return told.kind === 'slice' ? undefined : told.etaMs
  }
  progress.begin(20, 'train')
  t.equal(leftMs(0), undefined, 'nothing is known, and that of the training alone would mislead')
  await setTimeout(50)
  const beforeMs = performance.now() - startMs
  const told = leftMs(5)!
  const ratio = (60 - 10) / 10
  t.ok(told >= beforeMs * ratio * 0.9 && told <= (performance.now() - startMs) * ratio * 1.1, `${told} ms`)
  t.ok(leftMs(1)! >= told * 0.9, 'what is done stays done')
  leftMs(10)
  progress.end()
  const before = performance.now() - startMs
  progress.begin(20, 'train')
  progress.end()
  const after = progress.etaMs!
  t.ok(
    after >= before * 0.9 && after <= (performance.now() - startMs) * 1.1,
    'another 20 of 60 were there already',
  )
  await progress.during(20, 'train', async () => leftMs(10))
  t.equal(progress.etaMs, 0)
})

t.test('an interrupted reproduction goes on where it was', async (t) => {
  const root = t.testdir()
  const data = await writeData(root)
  const given: ReproduceOptions = {
    experiments: ['table-5'],
    data,
    settings: { ...small, seeds: [1] },
    directory: join(root, 'cut'),
    precision: 'fp32',
    threads: 2,
  }
  const controller = new AbortController()
  const cut = reproduce({
    ...given,
    signal: controller.signal,
    onProgress: (event) => {
      if (event.phase === 'reproduce' && event.network === '+ EFM') controller.abort()
    },
  })
  await t.rejects(cut, { code: 'CANCELLED' })
  t.notOk(existsSync(join(root, 'cut', 'results.json')), 'no results before there are all')
  const networks: string[] = []
  const resumed = await reproduce({
    ...given,
    onProgress: (event) => {
      if (event.phase === 'reproduce' && !event.metrics) networks.push(event.network)
    },
  })
  t.same([...new Set(networks)], ['+ EFM', '+ AFF', 'EFM and AFF'], 'the baseline was through')
  const whole = await reproduce({ ...given, directory: join(root, 'whole') })
  t.same(resumed.tables, whole.tables)
})

t.test('jcs reproduce table-7 figure-10 --budget quick', async (t) => {
  const root = t.testdir()
  const data = await writeData(root)
  const out = join(root, 'out')
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...[jcs, 'reproduce', 'table-7', 'figure-10', '--data', data, '--budget', 'quick', '--out', out],
    ...['--width', '0.125', '--input-size', '64', '--epochs', '1'],
  ])
  for (const name of ['U-Net', 'DSS', 'EGNet', 'PoolNet', 'JCS, \\+ CLS'])
    t.match(stdout, new RegExp(`^${name} +\\d`, 'm'))
  t.match(stdout, /not a medical device/)
  const result = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as Reproduction
  t.match(result.budget, { width: 0.125, inputSize: 64, epochs: 1, batchSize: 4, seeds: [0] })
  t.match(result.caveats.join(' '), /trained on infected slices alone/)

  const { rows } = result.examples!
  t.same(
    rows.map(({ rank }) => rank),
    [0.1, 0.5, 0.9],
  )
  for (const { origin, fold, areaPixels, dice } of rows) {
    // The networks of the example's fold, on what they had not seen.
    const held = (await readDataset({ path: data, folds: [fold] }, { task: 'segmentation' })).samples
    const index = held.findIndex((one) => one.origin === origin)
    for (const [network, value] of Object.entries(dice)) {
      await using model = await loadModel(
        join(out, 'networks', network, `fold-${fold}-seed-0`, 'model.safetensors'),
      )
      const { slices } = (await evaluate(model, held)) as SegmentationEvaluation
      t.match(slices[index], { areaPixels, dice: value }, `${network} outlines ${origin}`)
    }
  }
  t.ok(rows[0]!.areaPixels < rows[1]!.areaPixels && rows[1]!.areaPixels < rows[2]!.areaPixels)
  const page = readFileSync(join(out, 'results.html'), 'utf8')
  const names = ['ground truth', 'U-Net', 'DSS', 'EGNet', 'PoolNet', 'JCS, + CLS']
  t.same(
    [...page.matchAll(/<figcaption>(.*?)<\/figcaption>/g)].map(([, name]) => name),
    [...names, ...names, ...names],
  )
  t.equal(page.match(/<figure>\s*<div class="stack"><img src="data:image\/webp/g)!.length, 18)
})

t.test('classifiers of phantoms, and times', async (t) => {
  const directory = join(t.testdir(), 'out')
  const given: ReproduceOptions = {
    experiments: ['table-2', 'table-4', 'figure-9'],
    settings: {
      ...{ phantomPatients: 20, phantomIterations: 8, phantomCases: 4, slicesPerCase: 20 },
      ...{ timedSlices: 2, timedWidth: 0.125 },
    },
    directory,
    precision: 'fp32',
    threads: 2,
  }
  const { times, caseThresholds, activationMaps, tables, caveats, files } = await reproduce(given)
  t.match(times, { slices: 300, timed: 2, device: 'cpu', precision: 'fp32', width: 0.125 })
  t.ok(times!.classifyMs > 0 && times!.segmentMs > times!.classifyMs)
  t.same(tables, [])
  t.match(caveats, [/synthetic phantoms/])

  t.same(
    activationMaps!.rows.map(({ training }) => training),
    ['origin', 'mixing', 'guided'],
  )
  const shares = activationMaps!.rows.map(({ explanation }) => explanation.massInLesions)
  t.ok(shares.every((share) => share >= 0 && share <= 1))
  t.equal(new Set(shares).size, 3, 'three different networks')

  // By hand: the decision of a case is that of its slices, by the classifier that is kept.
  t.match(caseThresholds, { infected: 2, uninfected: 2, slicesPerCase: 20 })
  await using model = await loadModel(join(directory, 'classifiers', 'guided', 'model.safetensors'), {
    precision: 'fp32',
    threads: 2,
  })
  const { mixup, activationLoss, iterations } = model.provenance!
  t.match(
    { mixup, activationLoss, iterations },
    { mixup: { alpha: 0.5 }, activationLoss: true, iterations: 8 },
  )
  t.same(
    caseThresholds!.rows.map(({ sliceThreshold, published }) => [sliceThreshold, published.sensitivity]),
    [
      [15, 0.96],
      [20, 0.95],
      [25, 0.95],
      [30, 0.945],
    ],
  )
  t.match(
    caseThresholds!.rows.slice(1),
    [1, 2, 3].map(() => ({ sensitivity: 0, specificity: 1 })),
    'a case of 20 slices has no more than 20 positive ones',
  )
  const page = readFileSync(files.page, 'utf8')
  t.match(page, /Reliability of the classifier/)
  t.equal(page.match(/<figcaption>image mixing and segmentation loss/g)!.length, 4)
  t.match(readFileSync(files.markdown, 'utf8'), /\| RT-PCR, published \| 4\.0 h \| 4\.0 h \|/)

  const { times: alone } = await reproduce({
    ...given,
    experiments: ['table-2'],
    directory: join(t.testdirName, 'alone'),
  })
  t.equal(alone!.timed, 2)

  const phases = new Set<string>()
  const again = await reproduce({ ...given, onProgress: ({ phase }) => phases.add(phase) })
  t.notOk(phases.has('train'), 'no classifier is trained twice')
  t.same(again.caseThresholds, caseThresholds)
  t.same(again.activationMaps, activationMaps)
  await t.rejects(reproduce({ ...given, settings: { ...given.settings, phantomPatients: 30 } }), {
    code: 'RESUME_MISMATCH',
    message: /classifiers of other phantomPatients/,
  })
})

t.test('what cannot be reproduced', async (t) => {
  const data = smallSamples(2, 2)
  const base = { experiments: ['table-5'], data, directory: t.testdir() } as ReproduceOptions
  for (const [options, code] of [
    [{ experiments: [] }, 'INVALID_TYPE'],
    [{ experiments: ['table-1'] }, 'INVALID_ARGUMENT'],
    [{ budget: 'large' }, 'INVALID_ARGUMENT'],
    [{ data: undefined }, 'INVALID_ARGUMENT'],
    [{ data: undefined, experiments: 'all' }, 'INVALID_ARGUMENT'],
    [{ data: data.values() }, 'INVALID_TYPE'],
    [{ settings: { learningRate: 1 } }, 'INVALID_ARGUMENT'],
    [{ settings: { epochs: 0 } }, 'INVALID_ARGUMENT'],
    [{ settings: { seeds: [] } }, 'INVALID_TYPE'],
    [{ folds: 3 }, 'INVALID_ARGUMENT'],
    [{ directory: 4 }, 'INVALID_TYPE'],
    [{ device: 'tpu' }, 'INVALID_ARGUMENT'],
  ] as [object, string][])
    await t.rejects(reproduce({ ...base, ...options }), { code }, JSON.stringify(options))
})
