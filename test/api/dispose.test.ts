import t from 'tap'
import { classify, createModel, train } from '../../ts/index'
import { classifierSpec, quick, smallSamples, smallSlices } from './small'

const zeros = { data: new Float32Array(3 * 64 * 64), shape: [1, 3, 64, 64] }

t.test('use after dispose', async (t) => {
  const model = await createModel(classifierSpec)
  await model.dispose()
  await model.dispose()
  t.ok(model.disposed)
  t.equal(model.spec.network, 'res2net50-v1b', 'what it was can still be asked')
  await t.rejects(model.forward(zeros), { code: 'DISPOSED' })
  await t.rejects(classify(model, smallSlices(1)), { code: 'DISPOSED' })
  await t.rejects(model.save('/dev/null'), { code: 'DISPOSED' })
  t.throws(() => model.parameters(), { code: 'DISPOSED' })
})

t.test('dispose while it works: what runs ends or is DISPOSED, and nothing crashes', async (t) => {
  const model = await createModel(classifierSpec)
  const classifying = Promise.allSettled([classify(model, smallSlices(12), { batchSize: 2 })])
  const forwarding = Promise.allSettled([model.forward(zeros), model.forward(zeros)])
  await model.dispose()
  for (const outcome of await classifying) {
    if (outcome.status === 'rejected') t.equal(outcome.reason.code, 'DISPOSED')
    else t.same(outcome.value.filter(({ probability }) => probability >= 0 && probability <= 1).length, 12)
  }
  for (const outcome of await forwarding) {
    if (outcome.status === 'rejected') t.equal(outcome.reason.code, 'DISPOSED')
    else t.same(outcome.value.logits?.shape, [1, 2])
  }
})

t.test('dispose while it is trained', async (t) => {
  const model = await createModel(classifierSpec)
  let disposing: Promise<void> | undefined
  const run = train({
    ...quick,
    iterations: 500,
    task: 'classification',
    model,
    data: { train: smallSamples(1) },
    onProgress: (event) => {
      if (event.phase === 'train') disposing ??= model.dispose()
    },
  })
  await t.rejects(run, { code: 'DISPOSED' })
  await disposing
  t.ok(model.disposed)
})
