import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createModel, type ModelSpec, type TrainOptions, train } from '../../ts/index'
import { readFloats } from './safetensors'
import { quick, segmenterSpec, smallSamples } from './small'

const samples = smallSamples(1)
const layerOf = (name: string) => name.slice(0, name.lastIndexOf('.'))

/** A step of length nothing, under which no weight and no statistic changes. */
const still = (spec: ModelSpec, options: Partial<TrainOptions>) =>
  train({
    ...quick,
    task: 'segmentation',
    spec,
    seed: 7,
    precision: 'fp32',
    iterations: 1,
    batchNorm: 'frozen',
    schedule: { name: 'constant', learningRate: 0 },
    optimizer: { name: 'sgd', weightDecay: 0 },
    data: { train: samples },
    ...options,
  })

/** What a network of that spec starts from under the seed of `still`. */
const fresh = (spec: ModelSpec) => createModel(spec, { seed: 7, precision: 'fp32' })

async function savedSegmenter(folder: string): Promise<string> {
  await using model = await createModel(segmenterSpec, { seed: 99, precision: 'fp32' })
  const file = join(folder, 'segmenter.safetensors')
  await model.save(file, { notice: 'Weights of others, for research.' })
  return file
}

/** The file without one tensor, whose name stays another's. */
function without(path: string, name: string): Buffer {
  const file = readFileSync(path)
  const length = Number(file.readBigUInt64LE(0))
  const header = file.toString('utf8', 8, 8 + length)
  const other = `${name.slice(0, -1)}X`
  const changed = header.replace(`"${name}"`, `"${other}"`)
  if (changed === header) throw new Error(`${name} is not there`)
  return Buffer.concat([file.subarray(0, 8), Buffer.from(changed), file.subarray(8 + length)])
}

t.test('a network of the same kind starts from all of the file', async (t) => {
  const file = await savedSegmenter(t.testdir())
  const { model, pretrained } = await still(segmenterSpec, { pretrained: file })
  await using _ = model
  const stored = readFloats(file)
  t.ok(pretrained!.layers.length > 30 && pretrained!.layers.every(({ taken }) => taken))
  t.same(pretrained!.unused, [])
  t.equal(
    pretrained!.layers.reduce((sum, { parameters }) => sum + parameters, 0),
    stored.size,
  )
  for (const [name, { data }] of stored) t.same((await model.getParameter(name)).data, data, name)
  t.equal(model.notice, 'Weights of others, for research.', 'terms go with the weights')
})

t.test('another network takes the layers that it has alike, and says why not the others', async (t) => {
  const file = await savedSegmenter(t.testdir())
  const spec: ModelSpec = { network: 'jcs-joint', trunk: 'res2net50-v1b', width: 0.125 }
  const { model, pretrained } = await still(spec, { pretrained: file })
  await using _ = model
  await using start = await fresh(spec)
  const stored = readFloats(file)
  // By hand: names and shapes of the file beside those of the network.
  const wrong = new Set(
    model
      .parameters()
      .filter(({ name, shape }) => stored.get(name)?.shape.join() !== shape.join())
      .map(({ name }) => layerOf(name)),
  )
  const { layers, unused } = pretrained!
  t.same(
    layers.filter(({ taken }) => !taken).map(({ layer }) => layer),
    [...new Set(model.parameters().map(({ name }) => layerOf(name)))].filter((layer) => wrong.has(layer)),
  )
  t.ok(wrong.size > 0 && wrong.size < layers.length)
  t.match(layers.find(({ layer }) => layer === 'res2net.bn1')!.reason, "the file has no 'res2net.bn1.")
  t.ok(layers.every(({ taken, reason }) => taken === (reason === undefined)))
  for (const { name } of model.parameters()) {
    const expected = wrong.has(layerOf(name)) ? await start.getParameter(name) : stored.get(name)!
    t.same((await model.getParameter(name)).data, expected.data, name)
  }
  t.same(unused, [...stored.keys()].filter((name) => wrong.has(layerOf(name))).sort())
})

t.test('half a layer is none', async (t) => {
  const file = await savedSegmenter(t.testdir())
  const name = [...readFloats(file).keys()].find((key) => key.endsWith('running_var'))!
  const { model, pretrained } = await still(segmenterSpec, { pretrained: without(file, name) })
  await using _ = model
  await using start = await fresh(segmenterSpec)
  t.same(
    pretrained!.layers.filter(({ taken }) => !taken),
    [{ layer: layerOf(name), parameters: 4, taken: false, reason: `the file has no '${name}'` }],
  )
  const weight = `${layerOf(name)}.weight`
  t.same((await model.getParameter(weight)).data, (await start.getParameter(weight)).data)
  t.ok(pretrained!.unused.includes(weight))
})

t.test('a model’s window is taken over, unless another is asked for', async (t) => {
  const directory = t.testdir()
  const window = { center: -400, width: 1200 }
  const { model } = await still(segmenterSpec, { window })
  const file = join(directory, 'windowed.safetensors')
  await model.save(file)
  await model.dispose()
  const taken = await still(segmenterSpec, { pretrained: file })
  t.same(taken.model.window, window)
  t.same(taken.settings.window, window)
  const other = await still(segmenterSpec, { pretrained: file, window: 'mediastinum' })
  t.same(other.model.window, { center: 40, width: 400 })
  await Promise.all([taken.model.dispose(), other.model.dispose()])
})

t.test('what nothing can start from', async (t) => {
  const folder = t.testdir({ 'text.safetensors': 'nothing' })
  const file = await savedSegmenter(folder)
  const reject = (options: Partial<TrainOptions>, code: string) =>
    t.rejects(still(segmenterSpec, options), { code })
  await t.rejects(
    train({
      ...quick,
      task: 'classification',
      spec: { network: 'res2net50-v1b', width: 0.25 },
      data: { train: samples },
      pretrained: file,
    }),
    { code: 'MISSING_PARAMETER', message: /no layer of network 'res2net50-v1b'/ },
  )
  await reject({ pretrained: join(folder, 'none.safetensors') }, 'FILE_NOT_FOUND')
  await reject({ pretrained: join(folder, 'text.safetensors') }, 'CORRUPT_FILE')
  await reject({ pretrained: 5 as never }, 'INVALID_TYPE')
  await reject({ pretrained: file, backbone: file }, 'INVALID_ARGUMENT')
  await using model = await createModel(segmenterSpec)
  await reject({ pretrained: file, model, spec: undefined }, 'INVALID_ARGUMENT')
})
