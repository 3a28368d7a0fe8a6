import { statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createModel, loadModel } from '../../ts/index'
import { readSafetensors } from './safetensors'
import { segmenterSpec } from './small'

/** The nearest bfloat16, ties to even: float32 without its lower 16 bits (IEEE 754 rounding by hand). */
function nearestBf16(value: number): number {
  const bits = new DataView(new ArrayBuffer(4))
  bits.setFloat32(0, value)
  const raw = bits.getUint32(0)
  const rest = raw & 0xffff
  const up = rest > 0x8000 || (rest === 0x8000 && (raw & 0x10000) !== 0)
  bits.setUint32(0, ((raw & 0xffff0000) >>> 0) + (up ? 0x10000 : 0))
  return bits.getFloat32(0)
}

t.test('weights in bf16: half the file, vectors as they were', async (t) => {
  const directory = t.testdir({})
  const [whole, half] = ['whole', 'half'].map((name) => join(directory, `${name}.safetensors`)) as [
    string,
    string,
  ]
  await using model = await createModel(segmenterSpec, { device: 'cpu', seed: 3 })
  await model.save(whole)
  await model.save(half, { weights: 'bf16' })
  t.ok(statSync(half).size < 0.55 * statSync(whole).size)
  for (const [name, { dtype, shape }] of readSafetensors(half))
    t.equal(dtype, shape.length > 1 ? 'BF16' : 'F32', name)

  await using loaded = await loadModel(half, { device: 'cpu' })
  t.same(
    loaded.parameters().map(({ name, shape }) => [name, shape]),
    model.parameters().map(({ name, shape }) => [name, shape]),
  )
  for (const { name, shape } of model.parameters()) {
    const before = (await model.getParameter(name)).data
    const after = (await loaded.getParameter(name)).data
    const expected = shape.length > 1 ? before.map(nearestBf16) : before
    if (!after.every((value, i) => value === expected[i])) t.fail(name)
  }
})

t.test('what a file says of itself', async (t) => {
  const path = join(t.testdir({}), 'model.safetensors')
  await using model = await createModel(segmenterSpec, { device: 'cpu' })
  t.equal(model.notice, undefined)
  t.equal(model.minLesionAreaMm2, 0)
  await model.save(path, { notice: 'Weights: CC BY 4.0.', minLesionAreaMm2: 12.5 })
  t.equal(model.notice, undefined, 'the model stays what it is')
  await using loaded = await loadModel(path)
  t.equal(loaded.notice, 'Weights: CC BY 4.0.')
  t.equal(loaded.minLesionAreaMm2, 12.5)
  await loaded.save(path)
  await using again = await loadModel(path)
  t.equal(again.notice, 'Weights: CC BY 4.0.', 'and is kept')

  for (const [options, code] of [
    [{ weights: 'fp16' }, 'INVALID_ARGUMENT'],
    [{ notice: 7 }, 'INVALID_TYPE'],
    [{ minLesionAreaMm2: -1 }, 'INVALID_ARGUMENT'],
    [{ weigths: 'bf16' }, 'INVALID_ARGUMENT'],
  ] as const)
    await t.rejects(model.save(path, options as never), { code })
})
