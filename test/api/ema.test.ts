import { createHash } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { createModel, evaluate, loadModel, type Model, type TrainOptions, train } from '../../ts/index'
import { classifierSpec, quick, smallSamples } from './small'

const decay = 0.2
const samples = smallSamples()
const validation = smallSamples(1, 3).map((sample) => ({ ...sample, patient: 'other' }))

const run = (options: Partial<TrainOptions>) =>
  train({
    ...quick,
    task: 'classification',
    spec: classifierSpec,
    precision: 'fp32',
    threads: 2,
    seed: 5,
    schedule: { name: 'constant', learningRate: 1e-3 }, // so that a shorter run is the beginning of a longer one
    data: { train: samples },
    ...options,
  })

type Weights = Map<string, Float32Array>

async function weightsOf(model: Model): Promise<Weights> {
  const weights: Weights = new Map()
  for (const { name } of model.parameters()) weights.set(name, (await model.getParameter(name)).data)
  await model.dispose()
  return weights
}

/** Weights are many: what is compared exactly is their hash. */
function hashOf(weights: Weights): string {
  const hash = createHash('sha256')
  for (const [name, values] of weights) hash.update(name).update(values)
  return hash.digest('hex')
}

t.test('the trained model is the moving average of the weights', async (t) => {
  const average = await weightsOf(await createModel(classifierSpec, { seed: 5, precision: 'fp32' }))
  for (let step = 1; step <= 3; step++) {
    const { model } = await run({ iterations: step })
    const rate = 1 - Math.min(decay, (1 + step) / (10 + step))
    for (const [name, weights] of await weightsOf(model))
      average.get(name)!.forEach((value, i, all) => {
        all[i] = value + rate * (weights[i]! - value)
      })
  }
  const directory = join(t.testdir({}), 'run')
  const settings = { iterations: 3, ema: { decay }, data: { train: samples, validation } }
  const result = await run({ ...settings, checkpoint: { directory } })
  const scores = await evaluate(result.model, validation)
  if (scores.task !== 'classification') throw new Error('a classifier')
  const { auc, accuracy } = scores
  t.match(result.metrics, { auc, accuracy }, 'it is what was validated')
  const trained = await weightsOf(result.model)
  let largest = 0
  for (const [name, expected] of average)
    expected.forEach((value, i) => {
      largest = Math.max(largest, Math.abs(trained.get(name)![i]! - value) / (1e-3 + Math.abs(value)))
    })
  t.ok(largest < 1e-4, `relative difference ${largest}`)

  const raw = await weightsOf((await run({ iterations: 3 })).model)
  t.not(hashOf(trained), hashOf(raw), 'which the weights themselves are not')
  const checkpoint = await loadModel(join(directory, 'checkpoint.safetensors'))
  t.equal(hashOf(await weightsOf(checkpoint)), hashOf(trained), 'a checkpoint is the average as a model')

  const averagedParts = await run({ ...settings, microBatch: 2 })
  t.not(hashOf(await weightsOf(averagedParts.model)), hashOf(raw), 'batches in parts are averaged as well')
})

t.test('a resumed run averages on, bit for bit', async (t) => {
  const whole = await weightsOf((await run({ iterations: 4, ema: { decay } })).model)
  const directory = join(t.testdir({}), 'run')
  const first = await run({ iterations: 2, ema: { decay }, checkpoint: { directory } })
  await first.model.dispose()
  const resume = join(directory, 'checkpoint.safetensors')
  const resumed = await run({ iterations: 4, ema: { decay }, resume })
  t.equal(hashOf(await weightsOf(resumed.model)), hashOf(whole))
  for (const ema of [undefined, { decay: 0.5 }])
    await t.rejects(run({ iterations: 4, ema, resume }), { code: 'RESUME_MISMATCH', message: /ema/ })
})

t.test('a decay that is none is refused', async (t) => {
  for (const wrong of [-0.1, 1, Number.NaN])
    await t.rejects(run({ ema: { decay: wrong } }), { code: 'INVALID_ARGUMENT', message: /ema\.decay/ })
  await t.rejects(run({ ema: { decays: 0.9 } as never }), { code: 'INVALID_ARGUMENT', message: /decays/ })
})
