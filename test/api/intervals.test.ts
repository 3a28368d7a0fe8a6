import t from 'tap'
import {
  type ClassificationEvaluation,
  createModel,
  evaluate,
  metrics,
  type Pixels,
  type Sample,
  type SegmentationEvaluation,
  segment,
} from '../../ts/index'
import { intervalOf } from './bootstrap'
import { classifierSpec, segmenterSpec, smallSamples } from './small'

const samples = smallSamples(3, 4)

const byPatient = <T>(items: T[]) => {
  const groups = new Map<string, T[]>()
  items.forEach((item, i) => {
    const patient = samples[i]!.patient!
    groups.set(patient, [...(groups.get(patient) ?? []), item])
  })
  return [...groups.values()]
}

t.test('intervals of a segmenter are over patients', async (t) => {
  await using model = await createModel(segmenterSpec, { precision: 'fp32' })
  const result = (await evaluate(model, samples, {
    bootstrap: { resamples: 4000 },
  })) as SegmentationEvaluation
  const images = samples.map(({ image }) => image as Pixels)
  const segmented = await segment(model, images, { probabilities: true })
  const maes = segmented.map(
    ({ probabilities, width, height }, i) =>
      metrics.segmentation(probabilities!, (samples[i]!.mask as Pixels).data as Uint8Array, width, height)
        .mae,
  )
  const average = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [low, high] = intervalOf(byPatient(maes), average)
  const [foundLow, foundHigh] = result.intervals.mae!
  const width = high - low
  t.ok(width > 0 && Math.abs(foundLow - low) < width / 20, `${foundLow} is ${low}`)
  t.ok(Math.abs(foundHigh - high) < width / 20, `${foundHigh} is ${high}`)
  t.ok(foundLow <= result.mae && result.mae <= foundHigh)
  t.notOk('images' in result.intervals)

  const alone = samples.map(({ patient: _, ...sample }): Sample => sample)
  const [each] = intervalOf(
    maes.map((mae) => [mae]),
    average,
  )
  const slices = await evaluate(model, alone, { bootstrap: { resamples: 4000 } })
  t.ok(Math.abs(slices.intervals.mae![0] - each) < width / 20, 'slices of nobody are drawn one by one')
})

t.test('intervals of a classifier, and their options', async (t) => {
  await using model = await createModel(classifierSpec, { precision: 'fp32' })
  const scored = async (options = {}) => (await evaluate(model, samples, options)) as ClassificationEvaluation
  const { probabilities, intervals, auc } = await scored()
  const items = samples.map(({ label }, i) => ({ p: probabilities[i]!, label: label! }))
  const aucOf = (drawn: typeof items) =>
    metrics.classification(
      Float32Array.from(drawn, ({ p }) => p),
      Uint8Array.from(drawn, ({ label }) => label),
    ).auc
  const [low, high] = intervalOf(byPatient(items), aucOf)
  t.ok(Math.abs(intervals.auc![0] - low) < 0.08 && Math.abs(intervals.auc![1] - high) < 0.08)
  t.ok(intervals.auc![0] <= auc && auc <= intervals.auc![1])
  t.same((await scored()).intervals, intervals, 'the same seed, the same intervals')
  t.notSame((await scored({ bootstrap: { seed: 1 } })).intervals, intervals)
  t.same((await scored({ bootstrap: { resamples: 0 } })).intervals, {})
  const [first] = byPatient(samples)
  const one = (await evaluate(model, first!)) as ClassificationEvaluation
  t.same(one.intervals, {}, 'one patient says nothing of others')
  for (const bootstrap of [{ resamples: -1 }, { resamples: 0.5 }, { seed: -1 }, { confidence: 0.9 }])
    await t.rejects(scored({ bootstrap }), { code: 'INVALID_ARGUMENT' })
  for (const bootstrap of [true, { draws: 3 }, { population: 3 }])
    await t.rejects(scored({ bootstrap }), { code: 'INVALID_TYPE' })
  await t.rejects(scored({ bootstrap: { population: { patients: 2, before: 2 } } }), {
    code: 'INVALID_ARGUMENT',
  })

  const { draws } = await scored({ bootstrap: { resamples: 50, draws: true } })
  t.equal(draws!.auc!.length, 50)
  t.notOk('draws' in (await scored()))
  // Patients of two parts, whose accuracies weigh as much as was drawn of them.
  const parts = [samples.slice(0, 8), samples.slice(8)]
  const [whole, ...both] = await Promise.all(
    [samples, ...parts].map((part, i) =>
      evaluate(model, part, {
        bootstrap: { resamples: 50, draws: true, population: { patients: 6, before: i === 2 ? 2 : 0 } },
      }),
    ),
  )
  t.same(whole!.draws, draws)
  t.ok(
    whole!.draws!.accuracy!.every((accuracy, r) => {
      const each = both.map((part) => part.draws!.accuracy![r]!).filter((value) => !Number.isNaN(value))
      return accuracy >= Math.min(...each) - 1e-9 && accuracy <= Math.max(...each) + 1e-9
    }),
  )
})
