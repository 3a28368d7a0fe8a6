import t from 'tap'
import {
  type ClassificationEvaluation,
  classify,
  createModel,
  evaluate,
  type Pixels,
  type SegmentationEvaluation,
  segment,
} from '../../ts/index'
import { logit, relativeError, sigmoid } from './compare'
import { classifierSpec, segmenterSpec, smallSamples, smallSlices } from './small'

/** Rows of `width` values the other way round. */
function mirrored<T extends Uint8Array | Float32Array>(values: T, width: number): T {
  return values.map((_, i) => values[i - (i % width) + width - 1 - (i % width)]!) as T
}

const mirroredSlice = (slice: Pixels): Pixels => ({
  ...slice,
  data: mirrored(slice.data as Uint8Array, slice.width),
})

const mean = (a: number, b: number) => (a + b) / 2

t.test('flipped views are averaged once they are turned back', async (t) => {
  await using segmenter = await createModel(segmenterSpec, { precision: 'fp32' })
  await using classifier = await createModel(classifierSpec, { precision: 'fp32' })
  const slices = smallSlices(3)
  const testTimeAugmentation = { horizontalFlip: true }
  const segmented = (images: Pixels[], options = {}) =>
    segment(segmenter, images, { probabilities: true, batchSize: 2, ...options })
  const plain = await segmented(slices)
  const flipped = await segmented(slices.map(mirroredSlice))
  const augmented = await segmented(slices, { testTimeAugmentation })
  for (const [i, { probabilities, mask, areaPixels }] of augmented.entries()) {
    const back = mirrored(flipped[i]!.probabilities!, 64)
    const expected = plain[i]!.probabilities!.map((p, at) => mean(p, back[at]!))
    t.ok(relativeError(probabilities!, expected) < 1e-5)
    t.ok(relativeError(probabilities!, plain[i]!.probabilities!) > 1e-4, 'a flip matters to this network')
    t.same(
      mask,
      Uint8Array.from(probabilities!, (p) => Number(p > 0.5)),
    )
    t.equal(areaPixels, mask.filter((value) => value === 1).length)
  }

  const classified = (images: Pixels[], options = {}) => classify(classifier, images, options)
  const [once, other] = [await classified(slices), await classified(slices.map(mirroredSlice))]
  const both = await classified(slices, { testTimeAugmentation })
  const expected = once.map(({ probability }, i) =>
    sigmoid(mean(logit(probability), logit(other[i]!.probability))),
  )
  t.ok(
    relativeError(
      both.map(({ probability }) => probability),
      expected,
    ) < 1e-5,
  )
})

t.test('what sees all flips gives the same for a flipped slice', async (t) => {
  await using segmenter = await createModel(segmenterSpec, { precision: 'fp32' })
  const slices = smallSlices(2)
  const options = {
    probabilities: true,
    testTimeAugmentation: { horizontalFlip: true, verticalFlip: true, scales: [0.5, 0.25] },
  }
  const straight = await segment(segmenter, slices, options)
  const turned = await segment(segmenter, slices.map(mirroredSlice), options)
  for (const [i, { probabilities }] of straight.entries())
    t.ok(relativeError(mirrored(turned[i]!.probabilities!, 64), probabilities!) < 1e-5)
  const [half] = await segment(segmenter, slices[0]!, {
    ...options,
    testTimeAugmentation: { ...options.testTimeAugmentation, scales: [0.5] },
  })
  t.ok(relativeError(half!.probabilities!, straight[0]!.probabilities!) > 1e-4, 'each scale counts')
})

t.test('evaluate scores what classify and segment give', async (t) => {
  await using segmenter = await createModel(segmenterSpec, { precision: 'fp32' })
  await using classifier = await createModel(classifierSpec, { precision: 'fp32' })
  const samples = smallSamples(1)
  const testTimeAugmentation = { horizontalFlip: true, scales: [0.5] }
  const options = { testTimeAugmentation }
  const images = samples.map(({ image }) => image as Pixels)

  const found = (await evaluate(classifier, samples, options)) as ClassificationEvaluation
  const expected = await classify(classifier, images, options)
  t.ok(
    relativeError(
      found.probabilities,
      expected.map(({ probability }) => probability),
    ) < 1e-5,
  )

  const { mae } = (await evaluate(segmenter, samples, options)) as SegmentationEvaluation
  const segmented = await segment(segmenter, images, { probabilities: true, ...options })
  // reference/metrics.md: mean over images of the mean absolute difference of probability and mask.
  const differences = segmented.map(({ probabilities }, i) => {
    const truth = (samples[i]!.mask as Pixels).data
    return probabilities!.reduce((sum, p, at) => sum + Math.abs(p - truth[at]!), 0) / probabilities!.length
  })
  const average = differences.reduce((sum, value) => sum + value, 0) / differences.length
  t.ok(Math.abs(mae - average) < 1e-5, `${mae} is ${average}`)
})

t.test('views that cannot be', async (t) => {
  await using model = await createModel(segmenterSpec)
  const [slice] = smallSlices(1)
  for (const [testTimeAugmentation, code] of [
    [true, 'INVALID_TYPE'],
    [{ horizontalFlip: 'yes' }, 'INVALID_TYPE'],
    [{ scales: 1 }, 'INVALID_TYPE'],
    [{ scales: ['1'] }, 'INVALID_TYPE'],
    [{ scales: [] }, 'INVALID_ARGUMENT'],
    [{ scales: [1, 2, 3, 4, 0.5, 0.75] }, 'INVALID_ARGUMENT'],
    [{ scales: [0.1] }, 'INVALID_ARGUMENT'],
    [{ scales: [Number.NaN] }, 'INVALID_ARGUMENT'],
    [{ flip: true }, 'INVALID_ARGUMENT'],
  ] as [never, string][]) {
    await t.rejects(segment(model, slice!, { testTimeAugmentation }), { code })
    await t.rejects(evaluate(model, smallSamples(1), { testTimeAugmentation }), { code })
  }
  t.equal((await segment(model, slice!, { testTimeAugmentation: {} })).length, 1)
})
