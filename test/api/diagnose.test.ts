import t from 'tap'
import { createModel, diagnose, disclaimer, type ProgressEvent } from '../../ts/index'
import { classifierSpec, segmenterSpec, smallSlices } from './small'

t.test('a case', async (t) => {
  await using classifier = await createModel(classifierSpec)
  await using segmenter = await createModel(segmenterSpec)
  const models = { classifier, segmenter }

  // Thresholds on either side of every probability make the outcome certain without a trained network.
  const positive = await diagnose(models, smallSlices(6), { sliceThreshold: 5, classificationThreshold: 0 })
  t.match(positive, { positive: true, positiveSlices: 6, totalSlices: 6, sliceThreshold: 5, disclaimer })
  t.ok(positive.slices.every(({ segmentation, index }, i) => segmentation !== undefined && index === i))
  t.ok(positive.timing.totalMs >= positive.timing.segmentMs && positive.timing.segmentMs > 0)
  t.match(positive.warnings.join(), /250 to 400/)

  const events: ProgressEvent[] = []
  const onProgress = (event: ProgressEvent) => events.push(event)
  const equal = await diagnose(models, smallSlices(6), {
    sliceThreshold: 6,
    classificationThreshold: 0,
    onProgress,
  })
  t.equal(equal.positive, false, 'as many as the threshold are not more')
  t.ok(equal.slices.every(({ segmentation }) => segmentation === undefined))
  t.notOk(
    events.some(({ phase }) => phase === 'segment'),
    'nothing is segmented in a negative case',
  )
  t.equal(equal.timing.segmentMs, 0)
  t.match(equal.warnings.join(), /can never be positive/)

  await t.rejects(diagnose(models, smallSlices(25)), { code: 'CASE_TOO_SMALL' })
  t.equal((await diagnose(models, smallSlices(26))).totalSlices, 26)
  await t.rejects(diagnose(models, []), { code: 'EMPTY_DATASET' })
  await t.rejects(diagnose({ classifier: segmenter, segmenter }, smallSlices(2)), {
    code: 'INVALID_ARGUMENT',
  })
})

t.test('cancelling at every stage', async (t) => {
  await using classifier = await createModel(classifierSpec)
  await using segmenter = await createModel(segmenterSpec)
  const options = { sliceThreshold: 0, classificationThreshold: 0, batchSize: 2 }
  for (const phase of ['decode', 'classify', 'segment'] as const) {
    const controller = new AbortController()
    const run = diagnose({ classifier, segmenter }, smallSlices(8), {
      ...options,
      signal: controller.signal,
      onProgress: (event) => event.phase === phase && controller.abort(),
    })
    await t.rejects(run, { code: 'CANCELLED' }, phase)
  }
  await t.rejects(
    diagnose({ classifier, segmenter }, smallSlices(2), { ...options, signal: AbortSignal.abort() }),
    { code: 'CANCELLED' },
    'before it starts',
  )
  const left = diagnose({ classifier, segmenter }, smallSlices(8), options)
  for await (const event of left) if (event.phase === 'classify') break
  await t.rejects(left, { code: 'CANCELLED' }, 'leaving a loop')
  t.equal(
    (await diagnose({ classifier, segmenter }, smallSlices(2), options)).totalSlices,
    2,
    'and it still works',
  )
})
