import t from 'tap'
import { classify, createModel, type ProgressEvent, segment } from '../../ts/index'
import { relativeError } from './compare'
import { classifierSpec, segmenterSpec, smallSlices } from './small'

t.test('slices are classified in order, whatever the batch', async (t) => {
  await using model = await createModel(classifierSpec, { precision: 'fp32' })
  const slices = smallSlices(7)
  const events: ProgressEvent[] = []
  const results = await classify(model, slices, { batchSize: 3, onProgress: (event) => events.push(event) })
  t.equal(results.length, 7)
  for (const { probability, positive } of results) t.equal(positive, probability > 0.5)
  const reported = events.filter((event) => event.phase === 'classify' && event.kind === 'slice')
  t.same(
    reported.map((event) => 'index' in event && event.index),
    [0, 1, 2, 3, 4, 5, 6],
  )
  t.same(
    reported.map((event) => 'classification' in event && event.classification),
    results,
  )
  const single = await classify(model, slices, { batchSize: 1 })
  const p = (list: typeof results) => list.map(({ probability }) => probability)
  t.ok(relativeError(p(single), p(results)) < 1e-4, 'batches do not change results')
  const [alone] = await classify(model, slices[4]!)
  t.ok(Math.abs(alone!.probability - results[4]!.probability) < 1e-4, 'the right slice at the right place')
})

t.test('a window means the same on the device as before', async (t) => {
  await using classifier = await createModel(classifierSpec, { precision: 'fp32' })
  await using segmenter = await createModel(segmenterSpec, { precision: 'fp32' })
  const size = { width: 70, height: 50 }
  const hounsfield = new Int16Array(3500).map((_, i) => ((i * 37) % 2600) - 1500)
  const window = { center: -600, width: 1500 }
  // DICOM PS3.3 C.11.2.1.3.2
  const inUnits = Float32Array.from(hounsfield, (x) => Math.min(Math.max((x + 600) / 1500 + 0.5, 0), 1))
  const signed = { data: hounsfield, window, ...size }
  const floats = { data: inUnits, ...size }
  const [a, b] = await classify(classifier, [signed, floats])
  t.ok(Math.abs(a!.probability - b!.probability) < 1e-5)
  const [mask, other] = await segment(segmenter, [signed, floats], { probabilities: true })
  t.ok(relativeError([...mask!.probabilities!], [...other!.probabilities!]) < 1e-5)
  const [whole] = await classify(classifier, signed, { explain: true })
  t.ok(Math.abs(whole!.probability - a!.probability) < 1e-5)
})

t.test('activation maps are in source coordinates and in [0, 1]', async (t) => {
  await using model = await createModel(classifierSpec)
  const wide = { data: new Uint8Array(90 * 40).map((_, i) => (i * 31) % 251), width: 90, height: 40 }
  const [result] = await classify(model, wide, { explain: true })
  const { data, width, height } = result!.activationMap!
  t.same([width, height, data.length], [90, 40, 3600])
  t.ok(data.every((value) => value >= 0 && value <= 1))
})

t.test('segmentations have the source’s size, and the mask is where the probability is high', async (t) => {
  await using model = await createModel(segmenterSpec)
  const slices = smallSlices(2)
  const sources = [...slices, { data: new Uint8Array(50 * 80).fill(90), width: 50, height: 80 }]
  const results = await segment(model, sources, { probabilities: true, batchSize: 2, threshold: 0.4 })
  t.same(
    results.map(({ width, height }) => [width, height]),
    [
      [64, 64],
      [64, 64],
      [50, 80],
    ],
  )
  for (const { mask, probabilities, areaPixels, lesions } of results) {
    t.ok(probabilities!.every((value, i) => (value > 0.4 ? 1 : 0) === mask[i]))
    t.equal(
      areaPixels,
      mask.reduce((a, b) => a + b, 0),
    )
    t.equal(
      lesions.reduce((sum, lesion) => sum + lesion.areaPixels, 0),
      areaPixels,
    )
  }
  const [row, column] = slices[0]!.spacing!
  const areaMm2 = results[0]!.areaPixels * row * column
  t.ok(areaMm2 > 0 && Math.abs(results[0]!.areaMm2! / areaMm2 - 1) < 1e-12, 'phantoms tell their spacing')
  t.equal(results[2]!.areaMm2, undefined)
})

t.test('what cannot be classified', async (t) => {
  await using classifier = await createModel(classifierSpec)
  await using segmenter = await createModel(segmenterSpec)
  const [slice] = smallSlices(1)
  const reject = (action: Promise<unknown>, code: string) => t.rejects(action, { code })
  await reject(classify(segmenter, slice!), 'INVALID_ARGUMENT')
  await reject(segment(classifier, slice!), 'INVALID_ARGUMENT')
  await reject(classify({} as never, slice!), 'INVALID_TYPE')
  await reject(classify(classifier, slice!, { batchSize: 0 }), 'INVALID_ARGUMENT')
  await reject(classify(classifier, slice!, { explian: true } as never), 'INVALID_ARGUMENT')
  const withNaN = { data: new Float32Array(64 * 64).fill(0.5), width: 64, height: 64 }
  withNaN.data[17] = Number.NaN
  await reject(classify(classifier, [slice!, withNaN]), 'NOT_FINITE')
  await reject(classify(classifier, { data: new Uint8Array(0), width: 0, height: 0 }), 'INVALID_ARGUMENT')
  t.equal((await classify(classifier, slice!)).length, 1, 'and the model still works')
  t.same(await classify(classifier, []), [])
})
