import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { InferenceSession, Tensor as OnnxTensor } from 'onnxruntime-node'
import t from 'tap'
import {
  classify,
  createModel,
  devices,
  loadModel,
  type Model,
  type ProgressEvent,
  quantize,
  segment,
  train,
} from '../../ts/index'
import { relativeError } from './compare'
import { NumpyRandom } from './numpy-random'
import { safetensorsMetadata } from './safetensors'
import { classifierSpec, quick, repositoryRoot, segmenterSpec, smallSamples, smallSlices } from './small'
import { writeSamples } from './written-samples'

const isFast = devices().some(({ name, int8 }) => name === 'cpu' && int8 === true)
const slices = smallSlices(6)

async function trained(task: 'classification' | 'segmentation'): Promise<Model> {
  const spec = task === 'classification' ? classifierSpec : segmenterSpec
  const { model } = await train({ task, spec, data: { train: smallSamples(2) }, ...quick, iterations: 20 })
  return model
}

t.test('a classifier is quantised, saved, and computes in 8 bits where it is asked to', async (t) => {
  await using model = await trained('classification')
  const before = await classify(model, slices)
  t.same(model.quantizedLayers, [])
  const events: ProgressEvent[] = []
  const { layers, change, changeOfAll } = await quantize(model, slices, {
    largestChange: 0.05,
    measureSpeed: false,
    onProgress: (event) => {
      events.push(event)
    },
  })
  t.ok(change <= 0.05 && changeOfAll >= 0)
  const taken = layers.filter(({ leftFor }) => !leftFor).map(({ name }) => name)
  t.ok(taken.length > 20, `${taken.length} of ${layers.length} layers`)
  t.same([...model.quantizedLayers].sort(), [...taken].sort())
  t.ok(layers.every(({ low, high }) => low <= 0 && high >= 0))
  t.equal(layers.find(({ name }) => name === 'layer1.0.conv1')?.low, 0, 'behind a ReLU')
  t.equal(await model.sha256(), undefined)
  const last = events.filter(({ phase }) => phase === 'quantize').at(-1)
  t.equal(last?.done, last?.total)
  t.equal(model.precision === 'int8', isFast)

  const file = join(t.testdir(), 'int8.safetensors')
  await model.save(file)
  const { quantized } = JSON.parse(safetensorsMetadata(file).jcs!) as {
    quantized: Record<string, [number, number]>
  }
  t.same(Object.keys(quantized).sort(), [...taken].sort())
  await using loaded = await loadModel(file, { precision: 'int8', device: 'cpu' })
  t.equal(loaded.precision, 'int8')
  const steps = (await loaded.profile({ height: 64, width: 64 })).steps
  t.equal(steps.filter(({ op }) => op === 'quantized_conv2d').length, taken.length)
  const after = await classify(loaded, slices)
  const mean = after.reduce(
    (sum, { probability }, i) => sum + Math.abs(probability - before[i]!.probability),
    0,
  )
  t.ok(Math.abs(mean / slices.length - change) < 1e-6, 'what quantize said')
  await using exact = await loadModel(file, { precision: 'fp32' })
  t.equal(exact.precision, 'fp32')
  await using original = await loadModel(file, { precision: 'auto', device: 'cpu' })
  t.equal(original.precision === 'int8', isFast)
})

t.test('where all layers move results too far, the most sensitive ones stay', async (t) => {
  await using model = await trained('classification')
  const all = await quantize(model, slices, { largestChange: 1, measureSpeed: false })
  t.equal(all.change, all.changeOfAll)
  t.ok(all.change > 0 && all.layers.every(({ leftFor, change }) => !leftFor && change === undefined))
  const half = await quantize(model, slices, { largestChange: all.change / 2, measureSpeed: false })
  t.ok(half.change <= all.change / 2)
  t.equal(half.changeOfAll, all.changeOfAll)
  const left = half.layers.filter(({ leftFor }) => leftFor === 'accuracy')
  t.ok(left.length > 0 && left.length < half.layers.length)
  const least = Math.min(...left.map(({ change }) => change!))
  t.ok(half.layers.every(({ leftFor, change }) => leftFor === 'accuracy' || change! <= least))
  const none = await quantize(model, slices, { largestChange: 0, measureSpeed: false })
  t.equal(none.change, 0)
})

t.test('a segmenter keeps its masks', async (t) => {
  await using model = await trained('segmentation')
  const { change, layers } = await quantize(model, slices, { largestChange: 0.1, measureSpeed: false })
  t.ok(change <= 0.1)
  const file = join(t.testdir(), 'int8.safetensors')
  await model.save(file)
  await using bytes = await loadModel(file, { precision: 'int8', device: 'cpu' })
  await using numbers = await loadModel(file, { precision: 'fp32', device: 'cpu' })
  const [a, b] = await Promise.all([segment(bytes, slices), segment(numbers, slices)])
  let both = 0
  let either = 0
  a.forEach(({ mask }, i) => {
    mask.forEach((value, k) => {
      both += 2 * Number(value && b[i]!.mask[k])
      either += value + b[i]!.mask[k]!
    })
  })
  if (either > 0 && model.precision === 'fp32') t.ok(Math.abs(1 - both / either - change) < 1e-6)
  t.ok(layers.length > 30)
})

// Where the processor has instructions for it, which layers are faster is its clock's affair.
if (!isFast)
  t.test('layers that are no faster are left where that is measured', async (t) => {
    await using model = await createModel({ network: 'res2net50-v1b', width: 0.5 }, { device: 'cpu' })
    // Without instructions for it, 8-bit products are loops.
    const { layers } = await quantize(model, slices.slice(0, 1), { measureSpeed: true, largestChange: 1 })
    t.ok(layers.filter(({ leftFor }) => leftFor === 'speed').length > layers.length / 2)
  })

for (const task of ['classification', 'segmentation'] as const) {
  t.test(`ONNX Runtime computes the same in 8 bits: ${task}`, async (t) => {
    await using model = await trained(task)
    await quantize(model, slices, { largestChange: 1, measureSpeed: false })
    const directory = t.testdir()
    const file = join(directory, 'int8.safetensors')
    await model.save(file)
    await using bytes = await loadModel(file, { precision: 'int8', device: 'cpu' })
    const shape = [2, 3, 67, 75]
    const random = new NumpyRandom(11)
    const data = Float32Array.from({ length: 2 * 3 * 67 * 75 }, () => random.normal())
    const expected = await bytes.forward({ data, shape })
    const path = join(directory, 'int8.onnx')
    await model.exportOnnx(path, { batch: 'dynamic', height: 67, width: 75 })
    const outputs = async (path: string) => {
      // As the file says. Fused, ONNX Runtime's products saturate on processors without VNNI.
      const session = await InferenceSession.create(path, { graphOptimizationLevel: 'disabled' })
      const results = await session.run({ [session.inputNames[0]!]: new OnnxTensor('float32', data, shape) })
      await session.release()
      return results
    }
    const others = await outputs(path)
    const float = join(directory, 'float.onnx')
    await model.exportOnnx(float, { batch: 'dynamic', height: 67, width: 75, int8: false })
    t.ok(statSync(path).size < statSync(float).size / 3, 'a byte a weight')
    await using numbers = await loadModel(file, { precision: 'fp32', device: 'cpu' })
    const exact = await numbers.forward({ data, shape })
    for (const [name, tensor] of Object.entries(expected)) {
      const error = relativeError(others[name]!.data as Float32Array, tensor.data)
      const ofBytes = relativeError(exact[name]!.data, tensor.data)
      // A step that is rounded the other way goes on to others; numbers are much further away.
      t.ok(error < ofBytes / 3, `${name}: ${error}, and from numbers ${ofBytes}`)
    }
  })
}

t.test('changing the weights ends it', async (t) => {
  const model = await trained('classification')
  t.teardown(() => model.dispose())
  await quantize(model, slices, { largestChange: 1, measureSpeed: false })
  t.ok(model.quantizedLayers.length > 0)
  const data = { train: smallSamples(2) }
  await train({ task: 'classification', model, data, ...quick, iterations: 1 })
  t.same(model.quantizedLayers, [])
})

t.test('what cannot be quantised is refused, and the model stays as it was', async (t) => {
  await using model = await createModel(classifierSpec, { device: 'cpu' })
  await t.rejects(quantize(model, []), { code: 'EMPTY_DATASET' })
  await t.rejects(quantize(model, slices, { largestChange: 2 }), { code: 'INVALID_ARGUMENT' })
  await t.rejects(quantize(model, slices, { clipping: 'none' } as object), { code: 'INVALID_ARGUMENT' })
  await t.rejects(quantize(model, slices, { measureSpeed: 1 } as object), { code: 'INVALID_TYPE' })
  const controller = new AbortController()
  const run = quantize(model, slices, {
    signal: controller.signal,
    onProgress: ({ phase }) => {
      if (phase === 'quantize') controller.abort()
    },
  })
  await t.rejects(run, { code: 'CANCELLED' })
  t.same(model.quantizedLayers, [])
  t.not(model.precision, 'int8')
  const file = join(t.testdir(), 'model.safetensors')
  await model.save(file)
  await t.rejects(loadModel(file, { precision: 'int8' }), {
    code: 'INVALID_ARGUMENT',
    message: /not quantised/,
  })
  await t.rejects(createModel(classifierSpec, { precision: 'int8' }), { code: 'INVALID_ARGUMENT' })
})

t.test('jcs quantize writes a model that loads', async (t) => {
  const directory = t.testdir()
  await writeSamples(directory, 'label', smallSamples(1, 2), ({ label }) => `${label}`)
  await using model = await trained('classification')
  const file = join(directory, 'model.safetensors')
  const out = join(directory, 'int8.safetensors')
  await model.save(file)
  const jcs = (...words: string[]) =>
    promisify(execFile)(process.execPath, [join(repositoryRoot, 'dist/cli/main.js'), ...words])
  const flags = ['--largest-change', '0.1', '--device', 'cpu']
  const { stdout } = await jcs('quantize', directory, '--model', file, '--out', out, ...flags)
  // How many are faster in 8 bits is the processor's affair.
  await using loaded = await loadModel(out)
  t.equal(loaded.quantizedLayers.length, Number(/(\d+) of \d+ layers in 8 bits/.exec(stdout)?.[1]))
  await quantize(model, slices, { largestChange: 1, measureSpeed: false })
  await model.save(out)
  const sizes: number[] = []
  for (const flags of [[], ['--no-int8']]) {
    const onnx = join(directory, `network${sizes.length}.onnx`)
    await jcs('export', out, '--out', onnx, ...flags)
    sizes.push(statSync(onnx).size)
  }
  t.ok(sizes[0]! < sizes[1]! / 3, 'jcs export writes bytes, or numbers where that is asked for')
})
