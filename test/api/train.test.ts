import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createModel, evaluate, loadModel, type ProgressEvent, train } from '../../ts/index'
import { classifierSpec, quick, segmenterSpec, smallSamples } from './small'

t.test('both tasks train, report and come back', async (t) => {
  for (const [task, spec] of [
    ['classification', classifierSpec],
    ['segmentation', segmenterSpec],
  ] as const) {
    const events: ProgressEvent[] = []
    const directory = join(t.testdir({}), task)
    const result = await train({
      ...quick,
      iterations: 12,
      task,
      spec,
      data: {
        train: smallSamples(),
        validation: smallSamples(1, 3).map((s) => ({ ...s, patient: 'other' })),
      },
      checkpoint: { directory },
      onProgress: (event) => events.push(event),
    })
    await using model = result.model
    const steps = events.filter((event) => event.phase === 'train')
    t.ok(steps.length > 0 && steps[0]!.done <= 2, 'the first step is reported before a tenth of them is done')
    t.ok(steps.every(({ loss, losses }) => Number.isFinite(loss) && Object.keys(losses).length > 0))
    t.equal(steps.at(-1)!.iteration, 12)
    t.same(result.history.filter(({ phase }) => phase === 'train').at(-1), steps.at(-1))
    t.ok(Object.keys(result.metrics).length > 0)
    t.equal(result.iterations, 12)
    t.match(result.settings, { recipe: 'scratch', batchSize: 4, inputSize: 64 })
    t.equal(model.inputSize, 64)
    t.same(model.provenance, result.settings, 'the model remembers its settings')
    await using again = await loadModel(result.checkpoint!)
    const { name } = model.parameters()[0]!
    t.same(
      (await again.getParameter(name)).data,
      (await model.getParameter(name)).data,
      'the last checkpoint is the model',
    )
  }
})

t.test('the loss falls on a sample that is shown again and again', async (t) => {
  const sample = smallSamples(1, 8).find(({ label }) => label === 1)!
  const { model, history } = await train({
    ...quick,
    iterations: 30,
    batchSize: 1,
    augmentation: false,
    schedule: { name: 'constant', learningRate: 1e-3, warmupIterations: 0 },
    task: 'segmentation',
    spec: segmenterSpec,
    data: { train: [sample] },
  })
  await model.dispose()
  const losses = history.flatMap((event) => (event.phase === 'train' ? [event.loss] : []))
  t.ok(losses.at(-1)! < 0.7 * losses[0]!, `${losses[0]} to ${losses.at(-1)}`)
})

t.test('a joint network starts from a classifier', async (t) => {
  await using classifier = await createModel(classifierSpec, { seed: 21 })
  const result = await train({
    ...quick,
    task: 'segmentation',
    spec: { network: 'jcs-joint', width: 0.125 },
    classifier,
    data: { train: smallSamples(1) },
  })
  await using model = result.model
  t.equal(model.spec.trunk, 'res2net50-v1b')
  const own = await classifier.getParameter('conv1.0.weight')
  t.same(
    (await model.getParameter('res2net.conv1.0.weight')).data,
    own.data,
    'the trunk is the classifier’s and stays so',
  )
  await t.rejects(
    train({
      ...quick,
      task: 'segmentation',
      spec: segmenterSpec,
      classifier,
      data: { train: smallSamples(1) },
    }),
    { code: 'INVALID_ARGUMENT' },
  )
})

t.test('what cannot be trained', async (t) => {
  const base = {
    ...quick,
    task: 'segmentation',
    spec: segmenterSpec,
    data: { train: smallSamples(1) },
  } as const
  const reject = (options: object, code: string, name: string) =>
    t.rejects(train({ ...base, ...options } as never), { code }, name)
  const file = join(t.testdir({ file: 'x' }), 'file')
  await reject(
    { checkpoint: { directory: join(file, 'below') } },
    'FILE_UNWRITABLE',
    'a directory below a file',
  )
  await reject({ resume: join(t.testdirName, 'none.safetensors') }, 'FILE_NOT_FOUND', 'no checkpoint')
  writeFileSync(join(t.testdirName, 'short.safetensors'), 'abc')
  await reject({ resume: join(t.testdirName, 'short.safetensors') }, 'CORRUPT_FILE', 'a broken checkpoint')
  await reject({ learningRate: 1 }, 'INVALID_ARGUMENT', 'an option that there is not')
  await reject({ schedule: { name: 'linear' } }, 'INVALID_ARGUMENT', 'an unknown schedule')
  await reject({ optimizer: { beta1: 2 } }, 'INVALID_ARGUMENT', 'a value out of range')
  await reject({ optimizer: { weightDecay: Number.NaN } }, 'INVALID_ARGUMENT', 'a number that is none')
  await reject({ spec: undefined }, 'INVALID_ARGUMENT', 'no network')
  await reject({ spec: classifierSpec }, 'INVALID_ARGUMENT', 'a network of the other task')
  await reject({ data: { train: [] } }, 'EMPTY_DATASET', 'no samples')
  const [sample] = smallSamples(1)
  const otherSize = { ...sample!, mask: { data: new Uint8Array(32 * 32), width: 32, height: 32 } }
  await reject({ data: { train: [otherSize] } }, 'BAD_SAMPLE', 'a mask of another size')
  await reject({ data: { train: [{ ...sample!, mask: undefined }] } }, 'BAD_SAMPLE', 'no mask')
  await reject(
    {
      schedule: { name: 'constant', learningRate: 100 },
      optimizer: { name: 'sgd', weightDecay: 1 },
      iterations: 200,
    },
    'DIVERGED',
    'divergence',
  )
})

t.test('bad samples are skipped when asked, and named', async (t) => {
  const samples = smallSamples(1)
  const bad = { ...samples[0]!, mask: { data: new Uint8Array(4), width: 2, height: 2 } }
  const options = { ...quick, task: 'segmentation', spec: segmenterSpec, onBadSample: 'skip' } as const
  const { model, skipped } = await train({ ...options, data: { train: [bad, ...samples] } })
  await model.dispose()
  t.equal(skipped.length, 1)
  t.match(skipped[0]!.message, /sample 0/)
})

t.test('patients on both sides are reported loudly', async (t) => {
  const warned: string[] = []
  const listener = (warning: Error) => warned.push(warning.message)
  process.on('warning', listener)
  t.teardown(() => process.off('warning', listener))
  const data = { train: smallSamples(1), validation: smallSamples(1) }
  const { model, warnings } = await train({ ...quick, task: 'segmentation', spec: segmenterSpec, data })
  await model.dispose()
  t.match(warnings.join(), /patients are in both/)
  await new Promise((resolve) => setImmediate(resolve))
  t.match(warned.join(), /patients are in both/)
})

t.test('cancelling at every stage; the model that was given survives', async (t) => {
  await using model = await createModel(segmenterSpec)
  const data = { train: smallSamples(), validation: smallSamples(1).map((s) => ({ ...s, patient: 'v' })) }
  for (const phase of ['decode', 'compile', 'train', 'validate', 'checkpoint'] as const) {
    const controller = new AbortController()
    const checkpoint = { directory: join(t.testdir({}), phase) }
    const run = train({
      ...quick,
      iterations: 8,
      task: 'segmentation',
      model,
      data,
      checkpoint,
      signal: controller.signal,
      onProgress: (event) => event.phase === phase && controller.abort(),
    })
    await t.rejects(run, { code: 'CANCELLED' }, phase)
    t.notOk(model.disposed)
  }
  const result = await train({ ...quick, task: 'segmentation', model, data: { train: data.train } })
  t.equal(result.model, model, 'and can be trained further')
})

t.test('evaluation: definitions by hand', async (t) => {
  await using model = await createModel(classifierSpec)
  const samples = smallSamples()
  const result = await evaluate(model, samples, { sliceThresholds: [0, 100] })
  if (result.task !== 'classification') throw new Error('a classifier')
  const labels = samples.map(({ label }) => label)
  const right = labels.filter((label, i) => (result.probabilities[i]! > 0.5 ? 1 : 0) === label).length
  t.equal(result.samples, samples.length)
  t.ok(Math.abs(result.accuracy - right / samples.length) < 1e-12)
  const { patients } = result
  t.equal(patients!.infected + patients!.uninfected, 4)
  t.match(patients!.thresholds[1], { sliceThreshold: 100, sensitivity: 0, specificity: 1 })
  t.equal(
    patients!.cases.reduce((sum, { slices }) => sum + slices, 0),
    samples.length,
  )
  await using segmenter = await createModel(segmenterSpec)
  const segmented = await evaluate(segmenter, samples)
  for (const options of [{ threshold: 0.4 }, { sliceThresholds: [3] }])
    await t.rejects(evaluate(segmenter, samples, options), {
      code: 'INVALID_ARGUMENT',
      message: /classification/,
    })
  if (segmented.task !== 'segmentation') throw new Error('a segmenter')
  t.equal(segmented.images, samples.length)
  for (const name of ['iou', 'mae', 'eMeasure'] as const)
    t.ok(segmented[name] >= 0 && segmented[name] <= 1.001)
})
