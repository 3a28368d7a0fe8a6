import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createModel, loadModel, type ModelSpec, type Precision, type Tensor } from '../../ts/index'
import { deviation, logit, relativeError, sigmoid } from './compare'
import { readFloats, readSafetensors } from './safetensors'
import { classifierSpec, segmenterSpec } from './small'

const fixtures = join(__dirname, '../fixtures')
interface Fixture {
  file: string
  spec?: ModelSpec
  weights?: string
}
const index = (JSON.parse(readFileSync(join(fixtures, 'index.json'), 'utf8')) as { fixtures: Fixture[] })
  .fixtures
const forwards = index.filter(({ file, spec, weights }) => file.startsWith('forward/') && spec && weights)
const images = readFloats(join(fixtures, 'images.safetensors')).get('images')!

/** What the fixtures keep of a map: every third row and column. */
function everyThird({ data, shape }: Tensor): number[] {
  const [n, , height, width] = shape as [number, number, number, number]
  const kept: number[] = []
  for (let image = 0; image < n; image++)
    for (let y = 0; y < height; y += 3)
      for (let x = 0; x < width; x += 3) kept.push(data[(image * height + y) * width + x]!)
  return kept
}

async function outputsOf({ spec, weights }: Fixture, precision: Precision) {
  const path = join(fixtures, weights!)
  // The authors' classifier has no bias; its fixture shares the weights of the paper's.
  const isBiasless = spec!.network.startsWith('res2net') && spec!.variant === 'authors'
  const source = isBiasless ? without('fc.bias', path) : path
  await using model = await loadModel(source, { spec: spec!, device: 'cpu', precision })
  return { outputs: await model.forward(images), used: model.precision }
}

/** A safetensors file without one of its tensors. */
function without(name: string, path: string): Uint8Array {
  const header: Record<string, object> = {}
  const parts: Buffer[] = []
  let offset = 0
  for (const [key, { dtype, shape, bytes }] of readSafetensors(path)) {
    if (key === name) continue
    header[key] = { dtype, shape, data_offsets: [offset, offset + bytes.length] }
    offset += bytes.length
    parts.push(bytes)
  }
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, ...parts])
}

t.ok(forwards.length >= 6, 'the index lists the networks')

for (const fixture of forwards) {
  t.test(`forward agrees with PyTorch: ${fixture.file}`, async (t) => {
    const expected = readFloats(join(fixtures, fixture.file))
    const { outputs } = await outputsOf(fixture, 'fp32')
    const { outputs: rough, used } = await outputsOf(fixture, 'bf16')
    t.ok(['bf16', 'fp32'].includes(used), 'a precision that the device lacks falls back')
    const logits = expected.get('logits')
    if (logits) {
      t.ok(relativeError(outputs.logits!.data, logits.data) <= 1e-4, 'logits')
      const probabilities = (values: Float32Array) => [...values].map(sigmoid)
      t.ok(relativeError(probabilities(rough.logits!.data), probabilities(logits.data)) <= 2e-2, 'bf16')
      return
    }
    const sides = [...expected.keys()].filter((name) => name.endsWith('_logits_every3'))
    t.ok(sides.length > 0, 'there are sides to compare')
    for (const name of sides) {
      const side = name.replace('_logits_every3', '')
      const truth = expected.get(name)!.data
      const spread = deviation(truth)
      t.ok(spread >= 0.2 && spread <= 5, `${side}: logits that prove something (deviation ${spread})`)
      // DSS's side1 is the prediction, a mean; what the loss compares stands behind it.
      const output = fixture.spec?.network === 'dss' ? `side${Number(side.slice(4)) + 1}` : side
      const error = relativeError(everyThird(outputs[output]!).map(logit), truth)
      t.ok(error <= 1e-4, `${side}: relative error on logits ${error}`)
      const roughError = relativeError(everyThird(rough[output]!), [...truth].map(sigmoid))
      t.ok(roughError <= 2e-2, `${side}: bf16 on probabilities ${roughError}`)
    }
  })
}

t.test('a model says what it is', async (t) => {
  await using model = await createModel(classifierSpec, { device: 'cpu', precision: 'fp32', seed: 3 })
  t.match(model.spec, { network: 'res2net50-v1b', variant: 'paper', width: 0.125 })
  t.equal(model.device, 'cpu')
  t.equal(model.precision, 'fp32')
  t.equal(model.inputSize, 224)
  t.equal(model.provenance, undefined)
  const parameters = model.parameters()
  t.ok(parameters.some(({ trainable }) => !trainable) && parameters.some(({ trainable }) => trainable))
  const { name, shape } = parameters[0]!
  const { data } = await model.getParameter(name)
  t.equal(
    data.length,
    shape.reduce((a, b) => a * b, 1),
  )
  await t.rejects(model.getParameter('conv99.weight'), { code: 'MISSING_PARAMETER' })
})

t.test('the seed decides the weights, and a saved model is the same model', async (t) => {
  const first = await createModel(segmenterSpec, { seed: 5 })
  const again = await createModel(segmenterSpec, { seed: 5 })
  const other = await createModel(segmenterSpec, { seed: 6 })
  const { name } = first.parameters()[0]!
  const weights = (await first.getParameter(name)).data
  t.same((await again.getParameter(name)).data, weights)
  t.notSame((await other.getParameter(name)).data, weights)
  const path = join(t.testdir(), 'model.safetensors')
  await first.save(path)
  const loaded = await loadModel(path)
  const fromBytes = await loadModel(readFileSync(path))
  t.same(loaded.spec, first.spec)
  t.same((await fromBytes.getParameter(name)).data, weights)
  await Promise.all([first, again, other, loaded, fromBytes].map((model) => model.dispose()))
})

t.test('a loaded model says what is in memory, and leaves its parameters in the file', async (t) => {
  const directory = t.testdir()
  const path = join(directory, 'model.safetensors')
  const slice = { data: new Float32Array(3 * 64 * 64).fill(0.5), shape: [1, 3, 64, 64] }
  await using created = await createModel(segmenterSpec, { seed: 5 })
  await created.save(path)
  await using loaded = await loadModel(path)
  t.equal(loaded.memoryBytes, 0)
  const expected = await created.forward(slice)
  t.same(await loaded.forward(slice), expected)
  const parameterBytes = created
    .parameters()
    .reduce((bytes, { shape }) => bytes + 4 * shape.reduce((a, b) => a * b, 1), 0)
  t.ok(created.memory.parameterBytes >= parameterBytes)
  t.ok(loaded.memory.parameterBytes < parameterBytes / 4)
  t.equal(loaded.memory.preparedBytes, created.memory.preparedBytes)
  t.ok(loaded.memory.preparedBytes > 0)
  t.equal(loaded.memoryBytes, loaded.memory.parameterBytes + loaded.memory.preparedBytes)
  t.ok(loaded.memory.arenaBytes > 0)
  writeFileSync(path, 'another file')
  t.same(await loaded.forward(slice), expected, 'what was prepared stays')
  await t.rejects(loaded.save(join(directory, 'copy.safetensors')), { code: 'CORRUPT_FILE' })
})

t.test('arguments that cannot be used', async (t) => {
  const reject = (action: Promise<unknown>, code: string) => t.rejects(action, { code })
  await reject(createModel({ network: 'resnet' as never }), 'INVALID_ARGUMENT')
  await reject(createModel({ ...classifierSpec, depth: 3 } as never), 'INVALID_ARGUMENT')
  await reject(createModel({ ...classifierSpec, width: '1' as never }), 'INVALID_TYPE')
  await reject(createModel(classifierSpec, { device: 'tpu' as never }), 'INVALID_ARGUMENT')
  await reject(createModel(classifierSpec, { device: 'cuda:7' }), 'DEVICE_UNAVAILABLE')
  await reject(createModel(classifierSpec, { seed: -1 }), 'INVALID_ARGUMENT')
  await reject(loadModel(42 as never), 'INVALID_TYPE')
  await using model = await createModel(classifierSpec)
  const zeros = (shape: number[]) => ({ data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape })
  await reject(model.forward(zeros([1, 1, 64, 64])), 'SHAPE_MISMATCH')
  await reject(model.forward({ data: new Float32Array(4), shape: [1, 3, 64, 64] }), 'SHAPE_MISMATCH')
  await reject(model.forward(zeros([1, 3, 31, 64])), 'INPUT_TOO_SMALL')
  await reject(
    model.forward({ ...zeros([1, 3, 64, 64]), data: new Float32Array(12288).fill(Number.NaN) }),
    'NOT_FINITE',
  )
  await reject(model.exportOnnx(join(t.testdir(), 'x.onnx'), { batch: 0 }), 'INVALID_ARGUMENT')
})

t.test('a profile names every step and times it', async (t) => {
  await using model = await createModel(segmenterSpec)
  const { steps, arenaBytes } = await model.profile({ height: 64, width: 96 })
  t.ok(steps.length > 20)
  t.ok(arenaBytes > 0)
  t.ok(steps.every(({ op, seconds }) => op !== '' && seconds >= 0))
})
