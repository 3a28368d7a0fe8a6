import t from 'tap'
import { type ClassificationEvaluation, createModel, evaluate, metrics } from '../../ts/index'
import { classifierSpec, smallSamples } from './small'

t.test('the reliability diagram of scores whose meaning is known', async (t) => {
  // Of a hundred samples at each probability as many are infected as it says; then half as many.
  const levels = [0.1, 0.3, 0.5, 0.7, 0.9]
  const probabilities = Float32Array.from(levels.flatMap((p) => Array(100).fill(p)))
  const labelled = (share: number) =>
    Uint8Array.from(levels.flatMap((p) => Array.from({ length: 100 }, (_, i) => Number(i < 100 * p * share))))
  const calibrated = metrics.reliability(probabilities, labelled(1), { bins: 5 })
  t.same(
    calibrated.map(({ low, high, samples, positives }) => [low, high, samples, positives]),
    levels.map((p, i) => [i / 5, (i + 1) / 5, 100, p]),
  )
  t.ok(metrics.classification(probabilities, labelled(1)).ece < 1e-7)
  const { ece } = metrics.classification(probabilities, labelled(0.5))
  t.ok(Math.abs(ece - 0.25) < 1e-6, 'the mean of half of each probability')
  t.equal(metrics.reliability(probabilities, labelled(1)).length, 15)
  t.throws(() => metrics.reliability(probabilities, labelled(1), { bins: 0 }), { code: 'INVALID_ARGUMENT' })
  t.throws(() => metrics.reliability(probabilities, new Uint8Array(3)), { code: 'SHAPE_MISMATCH' })
  t.throws(() => metrics.reliability(Float32Array.of(Number.NaN), new Uint8Array(1)), { code: 'NOT_FINITE' })
})

t.test('evaluate gives it for what it scored', async (t) => {
  await using model = await createModel(classifierSpec)
  const samples = smallSamples(2)
  const { probabilities, reliability, ece } = (await evaluate(model, samples)) as ClassificationEvaluation
  const labels = Uint8Array.from(samples, ({ label }) => label!)
  t.same(reliability, metrics.reliability(probabilities, labels))
  t.equal(ece, metrics.classification(probabilities, labels).ece)
  t.equal(
    reliability.reduce((sum, { samples }) => sum + samples, 0),
    samples.length,
  )
})
