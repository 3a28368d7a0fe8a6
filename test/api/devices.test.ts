import t from 'tap'
import { createModel, devices } from '../../ts/index'
import { classifierSpec } from './small'

t.test('a device by name is that device or an error, never another', async (t) => {
  const gpu = devices().find(({ kind }) => kind === 'cuda')
  t.ok(gpu, 'listed also where there is none')
  if (gpu?.available) {
    await using model = await createModel(classifierSpec, { device: 'cuda' })
    t.match(model.device, /^cuda:\d+$/)
  } else {
    t.ok(gpu?.reason)
    await t.rejects(createModel(classifierSpec, { device: 'cuda' }), {
      code: 'DEVICE_UNAVAILABLE',
      message: /cannot be used/,
    })
  }
  await t.rejects(createModel(classifierSpec, { device: 'cuda:99' }), { code: 'DEVICE_UNAVAILABLE' })
  await using cpu = await createModel(classifierSpec, { device: 'cpu' })
  t.equal(cpu.device, 'cpu')
})

t.test('auto takes what is usable', async (t) => {
  const usable = devices().filter(({ available }) => available)
  await using model = await createModel(classifierSpec)
  t.equal(model.device, usable.some(({ name }) => name === 'cuda:0') ? 'cuda:0' : 'cpu')
})

t.test('what exceeds memoryLimitBytes is refused, and the process goes on', async (t) => {
  await using model = await createModel(classifierSpec, { device: 'cpu' })
  const input = { data: new Float32Array(3 * 64 * 64), shape: [1, 3, 64, 64] }
  await t.rejects(createModel(classifierSpec, { device: 'cpu', memoryLimitBytes: 1024 }), {
    code: 'OUT_OF_MEMORY',
    message: /bytes/,
  })
  await t.rejects(model.forward(input), { code: 'OUT_OF_MEMORY' })
  await using other = await createModel(classifierSpec, { device: 'cpu', memoryLimitBytes: 2 ** 33 })
  for (const usable of [other, model]) // the model from before, too
    t.ok((await usable.forward(input)).logits?.data.every(Number.isFinite))
  await t.rejects(createModel(classifierSpec, { memoryLimitBytes: 0 }), { code: 'INVALID_ARGUMENT' })
  await t.rejects(createModel(classifierSpec, { memoryLimitBytes: '1' as never }), { code: 'INVALID_TYPE' })
})
