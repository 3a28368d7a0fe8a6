import { execFile } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import {
  type ClassificationEvaluation,
  type CrossValidateOptions,
  crossValidate,
  evaluate,
  loadModel,
  type ProgressEvent,
  type Sample,
  train,
} from '../../ts/index'
import { intervalOf } from './bootstrap'
import { classifierSpec, quick, repositoryRoot, segmenterSpec, smallSamples } from './small'
import { writeSamples } from './written-samples'

/** Six patients, of whom every other is infected. */
const samples = smallSamples(3, 3)
const training = {
  ...quick,
  task: 'classification',
  spec: classifierSpec,
  precision: 'fp32',
  threads: 2,
  iterations: 2,
  schedule: { name: 'constant', learningRate: 1e-3 },
} as const

const validated = (options: Partial<CrossValidateOptions> = {}) =>
  crossValidate({ ...training, data: samples, folds: 3, ...options })

const average = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const deviation = (values: number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - average(values)) ** 2, 0) / (values.length - 1))
const near = (a: number | undefined, b: number) => a !== undefined && Math.abs(a - b) < 1e-12

t.test('every part is scored by networks that did not see its patients', async (t) => {
  const directory = join(t.testdir(), 'runs')
  const { runs, metrics, warnings } = await validated({ seeds: [4, 9], directory })
  t.same(
    runs.map(({ fold, seed, samples, trainedOn, iterations }) => [
      fold,
      seed,
      samples,
      trainedOn,
      iterations,
    ]),
    ['1', '2', '3'].flatMap((fold) => [4, 9].map((seed) => [fold, seed, 6, 12, 2])),
  )
  t.same(warnings, [])

  // By hand: the models on all data, of which each must have been held out from one.
  const held = new Set<string>()
  for (const { fold, seed, metrics, model: path } of runs.filter(({ seed }) => seed === 4)) {
    await using model = await loadModel(path!, { precision: 'fp32', threads: 2 })
    const patients = [...new Set(samples.map(({ patient }) => patient!))]
    const infected = patients.filter((patient) => patient.endsWith('true'))
    const pairs = infected.flatMap((a) => patients.filter((b) => b.endsWith('false')).map((b) => [a, b]))
    const scored = []
    for (const pair of pairs) {
      const part = samples.filter(({ patient }) => pair.includes(patient!))
      const { auc, accuracy } = (await evaluate(model, part)) as ClassificationEvaluation
      if (auc === metrics.auc && accuracy === metrics.accuracy) scored.push(pair)
    }
    t.ok(scored.length >= 1, `fold ${fold} is a part of an infected and an uninfected patient`)
    for (const pair of scored) {
      const others = samples.filter(({ patient }) => !pair.includes(patient!))
      const again = await train({ ...training, seed, data: { train: others } })
      const [name = ''] = model.parameters().map(({ name }) => name)
      const [a, b] = [await model.getParameter(name), await again.model.getParameter(name)]
      await again.model.dispose()
      if (Buffer.from(a.data.buffer).equals(Buffer.from(b.data.buffer)))
        for (const patient of pair) held.add(patient)
    }
  }
  t.equal(held.size, 6, 'each patient was held out by one fold, whose network is that of the others')

  const values = (by: Partial<{ seed: number; fold: string }>) =>
    runs
      .filter((run) => Object.entries(by).every(([key, value]) => run[key as 'seed'] === value))
      .map(({ metrics }) => metrics.accuracy!)
  const bySeed = [4, 9].map((seed) => average(values({ seed })))
  const byFold = ['1', '2', '3'].map((fold) => average(values({ fold })))
  t.ok(near(metrics.accuracy!.mean, average(bySeed)))
  t.ok(near(metrics.accuracy!.betweenSeeds, deviation(bySeed)))
  t.ok(near(metrics.accuracy!.betweenFolds, deviation(byFold)))
  t.notOk('samples' in metrics)
})

t.test('intervals of means are over the patients of all folds', async (t) => {
  const root = t.testdir()
  const data = smallSamples(6, 3).map((sample, i) => ({
    ...sample,
    fold: ['a', 'b', 'b', 'c'][(i / 9) | 0]!,
  }))
  const given = {
    data: await writeSamples(
      root,
      'label,patient,fold',
      data,
      ({ label, patient }, i) => `${label},${patient},${data[i]!.fold}`,
    ),
    folds: undefined,
    seeds: [1, 2],
    directory: join(root, 'runs'),
    evaluation: { bootstrap: { resamples: 4000 } },
  }
  const { runs, metrics } = await validated(given)
  const right = await Promise.all(
    runs.map(async ({ fold, seed, model: path }) => {
      await using model = await loadModel(path!, { precision: 'fp32', threads: 2 })
      const held = data.filter((sample) => sample.fold === fold)
      const { probabilities } = (await evaluate(model, held)) as ClassificationEvaluation
      return held.map(({ label, patient }, i) => ({
        ...{ fold, seed, patient },
        right: Number(probabilities[i]! > 0.5 === (label === 1)),
      }))
    }),
  ).then((parts) => parts.flat())
  const patients = [...new Set(data.map(({ patient }) => patient))]
  const accuracy = (drawn: typeof right) => {
    const bySeed = [1, 2].map((seed) => {
      const folds = ['a', 'b', 'c'].map((fold) =>
        drawn.filter((one) => one.seed === seed && one.fold === fold),
      )
      return average(
        folds.filter((some) => some.length > 0).map((some) => average(some.map(({ right }) => right))),
      )
    })
    return average(bySeed)
  }
  const groups = patients.map((patient) => right.filter((one) => one.patient === patient))
  t.ok(near(metrics.accuracy!.mean, accuracy(right)))
  const [low, high] = intervalOf(groups, accuracy)
  const [foundLow, foundHigh] = metrics.accuracy!.interval!
  const width = high - low
  t.ok(width > 0.05 && Math.abs(foundLow - low) < width / 15, `${foundLow} is ${low}`)
  t.ok(Math.abs(foundHigh - high) < width / 15, `${foundHigh} is ${high}`)
  t.same(await validated(given), { runs, metrics, warnings: [], skipped: [] }, 'and again from the directory')
})

t.test('an interrupted cross-validation goes on where it was', async (t) => {
  const directory = join(t.testdir(), 'runs')
  const longer = { iterations: 12, checkpoint: { everyIterations: 1 } }
  const whole = await validated({ ...longer, directory: join(t.testdirName, 'whole') })
  let seen: ProgressEvent[] = []
  const controller = new AbortController()
  const interrupted = validated({
    ...longer,
    directory,
    signal: controller.signal,
    onProgress: (event) => {
      seen.push(event)
      const isSecond = seen.some((one) => one.phase === 'cross-validate' && one.fold === '2')
      if (isSecond && event.phase === 'checkpoint' && event.iteration === 2) controller.abort()
    },
  })
  await t.rejects(interrupted, { code: 'CANCELLED' })
  t.ok(existsSync(join(directory, 'fold-2-seed-0', 'checkpoint.safetensors')))
  t.notOk(existsSync(join(directory, 'fold-1-seed-0', 'checkpoint.safetensors')), 'a finished one needs none')

  seen = []
  const resumed = await validated({ ...longer, directory, onProgress: (event) => seen.push(event) })
  const metricsOf = ({ runs }: typeof whole) => runs.map(({ metrics }) => metrics)
  t.same(metricsOf(resumed), metricsOf(whole), 'bit for bit what it is without interruption')
  const steps = seen.flatMap((event) => (event.phase === 'train' ? [event.iteration] : []))
  const all = Array.from({ length: 12 }, (_, i) => i + 1)
  const [next = 0] = steps // the abort is heard within a step or two
  t.ok(next > 2 && next < 12, `goes on with step ${next}`)
  t.same(steps, [...all.slice(next - 1), ...all], 'the rest of the second fold, then all of the third')
  const weights = (root: string) =>
    readFileSync(join(root, 'fold-2-seed-0', 'model.safetensors')).subarray(-4096)
  t.ok(weights(directory).equals(weights(join(t.testdirName, 'whole'))))

  seen = []
  const again = await validated({ ...longer, directory, onProgress: (event) => seen.push(event) })
  t.same(metricsOf(again), metricsOf(whole))
  t.same([...new Set(seen.map(({ phase }) => phase))], ['cross-validate'], 'nothing is done twice')
  await t.rejects(validated({ ...longer, directory, iterations: 5 }), {
    code: 'RESUME_MISMATCH',
    message: /other settings;/,
  })
  await t.rejects(validated({ ...longer, directory, folds: 2 }), {
    code: 'RESUME_MISMATCH',
    message: /folds/,
  })
  const [, ...fewer] = samples
  await t.rejects(validated({ ...longer, directory, data: fewer }), { code: 'RESUME_MISMATCH' })
})

t.test('progress tells the time of the whole plan', async (t) => {
  const events: ProgressEvent[] = []
  await validated({ iterations: 3, onProgress: (event) => events.push(event) })
  const trained = events.flatMap((event) => (event.phase === 'cross-validate' ? [event] : []))
  t.same(
    trained.map(({ done, total, fold }) => [done, total, fold]),
    [
      [0, 3, '1'],
      [1, 3, '1'],
      [1, 3, '2'],
      [2, 3, '2'],
      [2, 3, '3'],
      [3, 3, '3'],
    ],
  )
  t.ok(trained.every(({ metrics, done }, i) => (metrics !== undefined) === (i % 2 === 1) && done >= 0))
  const etas = events.flatMap((event) => (event.phase === 'train' && event.etaMs ? [event.etaMs] : []))
  t.ok(etas.length > 0)
  t.equal(trained.at(-1)!.etaMs, 0)
  t.ok(trained[1]!.etaMs! > trained[3]!.etaMs!)
})

t.test('`best` chooses on a part of what is trained on', async (t) => {
  const [run] = (await validated({ folds: 2, best: { metric: 'accuracy' }, seeds: [3] })).runs
  t.equal(run!.trainedOn, run!.samples, 'half and half')
  t.ok(run!.bestIteration! >= 1)
})

t.test('a dataset’s own folds', async (t) => {
  const directory = t.testdir()
  const file = await writeSamples(
    directory,
    'label,patient,fold',
    samples,
    ({ label, patient }) => `${label},${patient},${patient!.startsWith('0') ? 'b' : 'a'}`,
  )
  const rows = readFileSync(file, 'utf8').trim().split('\n').slice(1)
  const { runs, warnings } = await crossValidate({ ...training, data: file })
  t.same(
    runs.map(({ fold, samples, trainedOn }) => [fold, samples, trainedOn]),
    [
      ['a', 12, 6],
      ['b', 6, 12],
    ],
  )
  t.same(warnings, [])
  const alike = rows.map((row) => row.replace(/a$/, 'x y').replace(/b$/, 'x_y'))
  writeFileSync(file, `image,label,patient,fold\n${alike.join('\n')}\n`)
  const directories = join(directory, 'alike')
  const named = await crossValidate({ ...training, data: file, directory: directories })
  t.equal(new Set(named.runs.map(({ model }) => model)).size, 2, 'each fold has a folder, whatever its name')
  t.same(await crossValidate({ ...training, data: file, directory: directories }), named)
  const mixed = rows.map((row, i) => (i === 0 ? row.replace(/b$/, 'a') : row))
  writeFileSync(file, `image,label,patient,fold\n${mixed.join('\n')}\n`)
  const leaking = await crossValidate({ ...training, data: file })
  t.match(leaking.warnings, [/^Fold a: 1 patients are in both training and validation/, /^Fold b: /])
  t.equal((await crossValidate({ ...training, data: file, folds: 3 })).runs.length, 3, 'or new ones')

  const jcs = join(repositoryRoot, 'dist', 'cli', 'main.js')
  const out = join(directory, 'out')
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...[jcs, 'cross-validate', 'classification', '--data', file, '--folds', '2', '--seeds', '1,2'],
    ...['--network', 'res2net50-v1b', '--width', '0.125', '--recipe', 'scratch', '--iterations', '1'],
    ...['--input-size', '64', '--batch-size', '4', '--test-time-flips', 'horizontal', '--out', out],
  ])
  t.match(stdout, /metric +mean +95 % over patients +± between seeds +± between folds/)
  t.match(JSON.parse(readFileSync(join(out, 'cross-validation.json'), 'utf8')), {
    runs: [{ fold: '1', seed: 1 }, { seed: 2 }, {}, {}],
    metrics: { accuracy: { mean: Number, betweenSeeds: Number } },
  })
  writeFileSync(file, `image,label,patient,fold\n${rows.join('\n').replace(/,b$/m, ',')}\n`)
  await t.rejects(crossValidate({ ...training, data: file }), {
    code: 'INVALID_ARGUMENT',
    message: /have a fold/,
  })
})

t.test('a joint network gets a classifier of its own in every fold', async (t) => {
  const directory = join(t.testdir(), 'runs')
  const uninfected = samples.filter(({ label }) => label === 0).slice(0, 3)
  const data = smallSamples(2, 12).filter(({ label }) => label === 1)
  const classifierTraining = { ...quick, iterations: 2, spec: classifierSpec, uninfected }
  const given: CrossValidateOptions = {
    ...training,
    task: 'segmentation',
    spec: { network: 'jcs-joint', width: 0.125 },
    data: data.map(({ label: _, ...sample }) => sample),
    folds: 2,
    seeds: [5],
    classifierTraining,
    directory,
    evaluation: { bootstrap: { draws: true } },
  }
  const { runs, metrics, draws, warnings: all } = await crossValidate(given)
  t.notMatch(all.join(), /told apart/, 'that uninfected slices have one label is no fault')
  const trunkOf = async (folder: string) => {
    await using model = await loadModel(join(folder, 'model.safetensors'))
    return Buffer.from((await model.getParameter('res2net.conv1.0.weight')).data.buffer)
  }
  const trained = await Promise.all(
    ['0-true', '1-true'].map(async (patient) => {
      const { uninfected: _, ...settings } = classifierTraining
      const { model } = await train({
        ...settings,
        task: 'classification',
        precision: 'fp32',
        threads: 2,
        seed: 5,
        data: { train: [...data.filter((sample) => sample.patient === patient), ...uninfected] },
      })
      await using classifier = model
      return Buffer.from((await classifier.getParameter('conv1.0.weight')).data.buffer)
    }),
  )
  const trunks = await Promise.all(runs.map(({ fold }) => trunkOf(join(directory, `fold-${fold}-seed-5`))))
  t.same(
    trunks.map((trunk) => trained.findIndex((classifier) => classifier.equals(trunk))).sort(),
    [0, 1],
    'that of one half, and that of the other',
  )
  t.same(
    runs.map(({ slices }) => slices!.length),
    runs.map(({ samples }) => samples),
  )
  t.ok(
    near(
      metrics.diceEmptyAsOne!.mean,
      average(runs.map(({ slices }) => average(slices!.map(({ dice }) => dice)))),
    ),
  )
  const [low, high] = metrics.dice!.interval!
  const inside = draws!.dice!.filter((value) => value >= low && value <= high)
  t.ok(
    Math.abs(inside.length / draws!.dice!.length - 0.95) < 0.3,
    'draws of two patients are few different ones',
  )

  const seen: ProgressEvent[] = []
  rmSync(join(directory, 'fold-2-seed-5', 'result.json'))
  const again = await crossValidate({ ...given, onProgress: (event) => seen.push(event) })
  t.same(again.runs, runs, 'and again, from the classifier that is kept')
  await t.rejects(crossValidate({ ...given, classifierTraining: { ...classifierTraining, iterations: 3 } }), {
    code: 'RESUME_MISMATCH',
    message: /other classifierTraining;/,
  })
  for (const [options, message] of [
    [{ spec: segmenterSpec }, /does not combine/],
    [{ classifier: 'x.safetensors' }, /either classifier or/],
    [{ classifierTraining: { ...classifierTraining, uninfected: samples } }, /not labelled 0/],
    [{ classifierTraining: { ...classifierTraining, seed: 1 } }, /seed/],
    [{ classifierTraining: { ...classifierTraining, loss: 'bce' } }, /loss/],
  ] as [Partial<CrossValidateOptions>, RegExp][])
    await t.rejects(crossValidate({ ...given, directory: undefined, ...options }), {
      code: 'INVALID_ARGUMENT',
      message,
    })
  const { warnings } = await crossValidate({
    ...given,
    directory: undefined,
    iterations: 1,
    classifierTraining: {
      ...classifierTraining,
      iterations: 1,
      uninfected: uninfected.map((sample) => ({ ...sample, patient: '0-true' })),
    },
  })
  t.match(warnings.join(), /Fold \d: 1 patients are in both/)
})

t.test('what cannot be cross-validated', async (t) => {
  for (const [options, code] of [
    [{ folds: 1 }, 'INVALID_ARGUMENT'],
    [{ folds: 7 }, 'INVALID_ARGUMENT'],
    [{ seeds: [] }, 'INVALID_TYPE'],
    [{ seeds: [1, 1] }, 'INVALID_ARGUMENT'],
    [{ seeds: [-1] }, 'INVALID_ARGUMENT'],
    [{ seed: 1 }, 'INVALID_ARGUMENT'],
    [{ resume: 'x' }, 'INVALID_ARGUMENT'],
    [{ validationFraction: 2 }, 'INVALID_ARGUMENT'],
    [{ checkpoint: {} }, 'INVALID_ARGUMENT'],
    [{ evaluation: { window: 'lung' } }, 'INVALID_ARGUMENT'],
    [{ evaluation: { threshold: 2 } }, 'INVALID_ARGUMENT'],
    [{ evaluation: { bootstrap: { population: { patients: 3, before: 0 } } } }, 'INVALID_ARGUMENT'],
    [{ task: 'segmentation', spec: segmenterSpec, evaluation: { threshold: 0.5 } }, 'INVALID_ARGUMENT'],
    [{ optimizer: { name: 'sgdm' } }, 'INVALID_ARGUMENT'],
    [{ data: [] as Sample[] }, 'EMPTY_DATASET'],
  ] as [Partial<CrossValidateOptions>, string][])
    await t.rejects(validated(options), { code }, JSON.stringify(options))
})
