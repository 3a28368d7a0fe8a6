import t from 'tap'
import {
  createModel,
  evaluate,
  metrics,
  type Pixels,
  type SegmentationEvaluation,
  segment,
} from '../../ts/index'
import { segmenterSpec, smallSamples } from './small'

t.test('two pixels, in pixels and in mm', async (t) => {
  const [found, truth] = [new Float32Array(48), new Uint8Array(48)]
  found[0] = 1
  truth[3 * 8 + 4] = 255
  t.match(metrics.segmentation(found, truth, 8, 6), { hd95Pixels: 5, nsd: 0 })
  const apart = metrics.segmentation(found, truth, 8, 6, { spacing: [0.5, 0.25] })
  t.ok(Math.abs(apart.hd95Mm! - Math.hypot(3 * 0.5, 4 * 0.25)) < 1e-12)
  t.equal(apart.nsd, 1, 'within 3 mm')
  t.notOk('hd95Pixels' in apart)
  const nothing = metrics.segmentation(new Float32Array(48), truth, 8, 6)
  t.match(nothing, { hd95Pixels: Number.NaN, nsd: 0 })
  t.equal(metrics.segmentation(new Float32Array(48), new Uint8Array(48), 8, 6).nsd, 1)
  for (const [spacing, code] of [
    [[1], 'INVALID_TYPE'],
    [1, 'INVALID_TYPE'],
    [[1, 0], 'INVALID_ARGUMENT'],
    [[1, Number.NaN], 'INVALID_ARGUMENT'],
  ] as [never, string][])
    t.throws(() => metrics.segmentation(found, truth, 8, 6, { spacing }), { code })
})

t.test('evaluate has the means over slices, by what is known of their spacing', async (t) => {
  await using model = await createModel({ ...segmenterSpec }, { precision: 'fp32', seed: 2 })
  const samples = smallSamples(2).map((sample, i) => {
    const image = sample.image as Pixels
    return i % 3 === 0 ? sample : { ...sample, image: { ...image, spacing: [0.6, 0.8] as const } }
  })
  const bare = samples.map((sample, i) => {
    const { spacing: _, ...image } = sample.image as Pixels
    return i % 3 === 0 ? { ...sample, image } : sample
  })
  const found = (await evaluate(model, bare as typeof samples)) as SegmentationEvaluation
  const segmented = await segment(
    model,
    bare.map(({ image }) => image as Pixels),
    { probabilities: true },
  )
  const each = segmented.map(({ probabilities, width, height }, i) => {
    const truth = (samples[i]!.mask as Pixels).data as Uint8Array
    const options = i % 3 === 0 ? {} : { spacing: [0.6, 0.8] as const }
    return { truth, ...metrics.segmentation(probabilities!, truth, width, height, options) }
  })
  const average = (values: (number | undefined)[]) => {
    const defined = values.filter((value): value is number => value !== undefined && !Number.isNaN(value))
    return defined.reduce((sum, value) => sum + value, 0) / defined.length
  }
  const near = (a: number | undefined, b: number) =>
    Number.isNaN(b) ? Number.isNaN(a) : Math.abs(a! - b) < 1e-5
  const [mm, pixels] = [
    average(each.map(({ hd95Mm }) => hd95Mm)),
    average(each.map(({ hd95Pixels }) => hd95Pixels)),
  ]
  t.ok(mm > 0 && pixels > 0, 'this network outlines something')
  t.ok(near(found.hd95Mm, mm), `${found.hd95Mm} is ${mm}`)
  t.ok(near(found.hd95Pixels, pixels), `${found.hd95Pixels} is ${pixels}`)
  const infected = each.filter(({ truth }) => truth.some((value) => value !== 0))
  t.ok(infected.length > 0 && infected.length < each.length)
  t.ok(near(found.nsd, average(infected.map(({ nsd }) => nsd))))

  t.equal(found.slices.length, each.length)
  for (const [i, { truth, dice, iou }] of each.entries()) {
    const slice = found.slices[i]!
    const areaPixels = truth.reduce((sum, value) => sum + Number(value !== 0), 0)
    t.match(slice, { index: i, lesions: partsOf(truth, 64), areaPixels })
    t.ok(near(slice.dice, dice) && near(slice.iou, iou), `${slice.dice} is ${dice}`)
    t.ok(i % 3 === 0 ? slice.areaMm2 === undefined : near(slice.areaMm2, areaPixels * 0.6 * 0.8))
  }
  t.ok(found.slices.some(({ lesions }) => lesions > 1))
})

/** How many parts of a mask do not touch, by filling one after the other. */
function partsOf(mask: Uint8Array, width: number): number {
  const left = new Set([...mask.keys()].filter((i) => mask[i] !== 0))
  let parts = 0
  for (const first of left) {
    parts++
    const open = [first]
    for (let i = open.pop(); i !== undefined; i = open.pop()) {
      if (!left.delete(i)) continue
      for (const [dx, dy] of [-1, 0, 1].flatMap((dx) => [-1, 0, 1].map((dy) => [dx, dy] as const))) {
        const x = (i % width) + dx
        if (x >= 0 && x < width) open.push(i + dx + dy * width)
      }
    }
  }
  return parts
}
