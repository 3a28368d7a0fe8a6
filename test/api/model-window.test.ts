import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  createModel,
  evaluate,
  type ImageOptions,
  loadModel,
  type Model,
  segment,
  train,
} from '../../ts/index'
import { ctSlice, element } from './dicom-files'
import { classifierSpec, quick, repositoryRoot, segmenterSpec } from './small'

const size = 64
const lung = { center: -600, width: 1500 }
const trained = { center: -300, width: 1950 }

/** A CT slice whose values run from -1024 to 976 HU. */
function scan(number: number): Uint8Array {
  const stored = Uint16Array.from(
    { length: size * size },
    (_, i) => ((i * 37 + 500 * number) % 2000) + number,
  )
  return ctSlice({
    number,
    position: [0, 0, -number],
    change: [
      element('00280010', 'US', [size]),
      element('00280011', 'US', [size]),
      element('7FE00010', 'OW', new Uint8Array(stored.buffer)),
    ],
  })
}

const masked = Array.from({ length: 4 }, (_, number) => ({
  image: scan(number),
  mask: {
    data: Uint8Array.from({ length: size * size }, (_, i) => Number(i % 64 < 20)),
    width: size,
    height: size,
  },
}))

async function mapOf(model: Model, window?: ImageOptions['window']): Promise<Float32Array> {
  const [result] = await segment(model, scan(0), { probabilities: true, window })
  return result!.probabilities!
}

t.test('a model sees HU through its own window, unless another is asked for', async (t) => {
  await using model = await createModel(segmenterSpec)
  t.same(model.window, lung, "a new one has the radiologists'")
  const own = await mapOf(model)
  t.same(own, await mapOf(model, 'lung'))
  t.notSame(own, await mapOf(model, 'mediastinum'))
})

t.test('train gives its window to the model, whose file keeps it', async (t) => {
  const directory = t.testdir()
  const result = await train({
    ...quick,
    task: 'segmentation',
    spec: segmenterSpec,
    data: { train: masked },
    window: trained,
    augmentation: { windowCenter: 0.125, windowWidth: 0.25 },
  })
  await using model = result.model
  t.same(model.window, trained)
  t.match(result.settings, { window: trained, augmentation: { windowCenter: 0.125, windowWidth: 0.25 } })
  t.match(model.provenance, { window: trained })
  const own = await mapOf(model)
  t.same(own, await mapOf(model, trained))
  t.notSame(own, await mapOf(model, 'lung'))

  const path = join(directory, 'model.safetensors')
  await model.save(path)
  await using loaded = await loadModel(path)
  t.same(loaded.window, trained)
  t.same(await mapOf(loaded), own)
  const [byDefault, asked, other] = await Promise.all(
    [undefined, trained, lung].map((window) => evaluate(loaded, masked, { window })),
  )
  t.same(byDefault, asked, 'and is evaluated through it')
  t.notSame(byDefault, other)

  const further = await train({ ...quick, task: 'segmentation', model: loaded, data: { train: masked } })
  t.same(loaded.window, trained, 'training further keeps it')
  t.same(further.settings.window, trained)
  await train({ ...quick, task: 'segmentation', model: loaded, data: { train: masked }, window: 'lung' })
  t.same(loaded.window, lung, 'or changes it')
})

t.test("images that are no HU are seen as they are, whatever the model's window", async (t) => {
  const picture = {
    data: Uint8Array.from({ length: size * size }, (_, i) => i % 251),
    width: size,
    height: size,
  }
  await using model = await createModel(segmenterSpec)
  const still = {
    ...quick,
    task: 'segmentation',
    model,
    data: { train: masked },
    schedule: { learningRate: 0 },
    batchNorm: 'frozen',
  } as const
  await train(still) // brings the input to its size
  const before = (await segment(model, picture, { probabilities: true }))[0]!.probabilities
  await train({ ...still, window: trained })
  t.same(model.window, trained)
  t.same((await segment(model, picture, { probabilities: true }))[0]!.probabilities, before)
})

t.test('a joint network takes over the window of its classifier', async (t) => {
  const labelled = masked.map((sample, index) => ({ image: sample.image, label: (index % 2) as 0 | 1 }))
  const { model: classifier } = await train({
    ...quick,
    task: 'classification',
    spec: classifierSpec,
    data: { train: labelled },
    window: trained,
  })
  await using _ = classifier
  const { model: joint, settings } = await train({
    ...quick,
    task: 'segmentation',
    spec: { network: 'jcs-joint', width: 0.125 },
    classifier,
    data: { train: masked },
  })
  await using __ = joint
  t.same(joint.window, trained)
  t.same(settings.window, trained)
})

t.test('unusable windows are refused before anything is read', async (t) => {
  for (const window of [{ center: 0, width: 0 }, { center: Number.NaN, width: 9 }, 'bone' as 'lung']) {
    await t.rejects(
      train({ ...quick, task: 'segmentation', spec: segmenterSpec, data: { train: masked }, window }),
      { code: 'INVALID_ARGUMENT', message: /window/ },
    )
  }
  for (const augmentation of [{ windowCenter: 2 }, { windowWidth: -1 }]) {
    await t.rejects(
      train({ ...quick, task: 'segmentation', spec: segmenterSpec, data: { train: masked }, augmentation }),
      { code: 'INVALID_ARGUMENT', message: /augmentation\.window/ },
    )
  }
})

t.test('the command line trains with a window and keeps it', async (t) => {
  const row = (index: number) => `${index}.dcm,${index % 2},${index}`
  const directory = t.testdir({
    'train.csv': `image,label,patient\n${[0, 1, 2, 3].map(row).join('\n')}\n`,
    ...Object.fromEntries([0, 1, 2, 3].map((index) => [`${index}.dcm`, Buffer.from(scan(index))])),
  })
  const out = join(directory, 'run')
  const jcs = (...words: string[]) =>
    spawnSync(process.execPath, [join(repositoryRoot, 'dist/cli/main.js'), ...words], { encoding: 'utf8' })
  const list = join(directory, 'train.csv')
  const settings = ['--recipe', 'scratch', '--iterations', '1', '--batch-size', '4', '--input-size', '64']
  const network = ['--network', 'res2net50-v1b', '--width', '0.125']
  const run = jcs(
    'train',
    'classification',
    '--data',
    list,
    ...network,
    ...settings,
    '--window',
    '-300,1950',
    '--out',
    out,
  )
  t.equal(run.status, 0, run.stderr)
  t.same(JSON.parse(readFileSync(join(out, 'metrics.json'), 'utf8')).settings.window, trained)
  await using model = await loadModel(join(out, 'model.safetensors'))
  t.same(model.window, trained)
  const scores = ['', 'mediastinum'].map((window) => {
    const words = ['evaluate', list, '--model', join(out, 'model.safetensors'), '--json']
    const { stdout, stderr, status } = jcs(...words, ...(window ? ['--window', window] : []))
    t.equal(status, 0, stderr)
    return JSON.parse(stdout)
  })
  t.notSame(scores[0], scores[1])
})
