import { join } from 'node:path'
import t from 'tap'
import {
  createModel,
  evaluate,
  type Model,
  type ProgressEvent,
  type TrainOptions,
  train,
} from '../../ts/index'
import { quick, segmenterSpec, smallSamples } from './small'

const samples = smallSamples(2, 2)
const options = {
  ...quick,
  task: 'segmentation',
  spec: segmenterSpec,
  data: { train: samples.slice(0, 4), validation: samples.slice(4) },
  iterations: undefined,
  epochs: 8,
  batchSize: 2,
  optimizer: { name: 'adamw', weightDecay: 0.01 },
  schedule: { name: 'constant', learningRate: 3e-3, warmupIterations: 0 },
  ema: { decay: 0.5 },
} as const satisfies TrainOptions

/** Falls while the network learns to find lesions. */
const metric = 'specificity'
type Validation = ProgressEvent & { iteration: number; metrics: Record<string, number> }

/** The parameters in which two models differ: the values themselves are too many to be shown. */
async function differing(one: Model, other: Model): Promise<string[]> {
  const bytesOf = async (model: Model, name: string) =>
    Buffer.from((await model.getParameter(name)).data.buffer)
  const names: string[] = []
  for (const { name } of one.parameters())
    if (!(await bytesOf(one, name)).equals(await bytesOf(other, name))) names.push(name)
  return names
}

t.test('the model gets the weights of the best validation', async (t) => {
  const directory = t.testdir()
  const run = await train({ ...options, best: { metric }, checkpoint: { directory, every: 3 } })
  t.teardown(() => run.model.dispose())
  const validations = run.history.filter((event): event is Validation => 'metrics' in event)
  t.equal(validations.length, 8)
  const best = validations.reduce((a, b) => (b.metrics[metric]! > a.metrics[metric]! ? b : a))
  t.equal(run.bestIteration, best.iteration)
  t.same(run.metrics, best.metrics)
  t.not(best.iteration, run.iterations, 'else the last weights would do')
  const again = await evaluate(run.model, options.data.validation)
  t.equal(
    (again as unknown as Validation['metrics'])[metric],
    best.metrics[metric],
    'and scores as it did then',
  )

  const { epochs: _, ...endless } = options
  const stopped = await train({ ...endless, iterations: best.iteration })
  t.teardown(() => stopped.model.dispose())
  t.equal(stopped.bestIteration, undefined)
  t.same(await differing(run.model, stopped.model), [], 'those of a run that ended there')
})

t.test('a run ends when it has waited long enough for something better', async (t) => {
  const directory = t.testdir()
  const still = {
    ...options,
    batchNorm: 'eval',
    schedule: { ...options.schedule, learningRate: 0 },
    optimizer: { name: 'sgd', momentum: 0 },
    checkpoint: { directory, every: 100 },
  } as const
  const run = await train({ ...still, best: { metric: 'mae', patience: 2 } })
  await run.model.dispose()
  t.equal(run.iterations, 6, 'the first validation is the best, two more are waited for')
  t.equal(run.bestIteration, 2)
  t.ok(run.checkpoint, 'the end is saved')
  const resume = join(directory, 'checkpoint.safetensors')
  const resumed = await train({ ...still, best: { metric: 'mae', patience: 2 }, resume })
  await resumed.model.dispose()
  t.equal(resumed.iterations, 6, 'nothing is left to do')
  const further = await train({ ...still, best: { metric: 'mae', patience: 3 }, resume })
  await further.model.dispose()
  t.equal(further.iterations, 8, 'patience may grow')
  t.equal(further.bestIteration, 2)
})

t.test('a metric that never has a value leaves the last weights, and says so', async (t) => {
  const healthy = samples.map((sample) => ({
    ...sample,
    mask: { data: new Uint8Array(64 * 64), width: 64, height: 64 },
  }))
  const data = { train: samples.slice(0, 4), validation: healthy.slice(4) }
  const run = await train({ ...options, data, epochs: 2, best: { metric: 'dice', patience: 5 } })
  await run.model.dispose()
  t.equal(run.bestIteration, undefined)
  t.match(run.warnings, [/no validation had a value for dice/])
})

t.test('what cannot be best is refused', async (t) => {
  const refused = (changed: object, message: RegExp) =>
    t.rejects(train({ ...options, ...changed } as TrainOptions), { code: 'INVALID_ARGUMENT', message })
  await refused({ best: { metric: 'auc' } }, /options\.best\.metric is 'auc'.*segmentation/)
  await refused({ best: { metric: 'loss' } }, /options\.best\.metric must be one of/)
  await refused({ best: { patience: 2 } }, /options\.best\.metric is missing/)
  await refused({ best: { metric: 'dice' }, data: { train: samples } }, /needs validation data/)
  await using model = await createModel(segmenterSpec)
  t.ok(model)
})
