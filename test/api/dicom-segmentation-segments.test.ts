import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { diagnose, dicomSegmentation, disclaimer, openCase } from '../../ts'
import { cieLab } from '../../ts/output/dicom/cielab'
import { filesOf, stack, writeFiles } from './dicom-files'
import { count, lower, lungs, networks, scan, size, upper } from './lung-scan'
import {
  distance,
  frameOfReference,
  isOf,
  model,
  type Pixel,
  pixels,
  series,
  write,
} from './segmentation-cases'
import { readSegmentation } from './segmentation-readers'

type Lab = [number, number, number]
const labOf = ([l, a, b]: Lab): Lab => [(l * 100) / 65535, (a * 255) / 65535 - 128, (b * 255) / 65535 - 128]

t.test('colours are CIELab of the white D50', async (t) => {
  // The primaries of sRGB as Lindbloom and Photoshop give them.
  const published: [[number, number, number], Lab][] = [
    [
      [255, 0, 0],
      [54.29, 80.81, 69.89],
    ],
    [
      [0, 255, 0],
      [87.82, -79.29, 80.99],
    ],
    [
      [0, 0, 255],
      [29.57, 68.3, -112.03],
    ],
    [
      [255, 255, 255],
      [100, 0, 0],
    ],
    [
      [0, 0, 0],
      [0, 0, 0],
    ],
  ]
  for (const [rgb, expected] of published) t.ok(distance(labOf(cieLab(rgb)), expected) < 0.05, `${rgb}`)
})

t.test('segments say what they are, by what, and in which colour', async (t) => {
  const root = t.testdir()
  const directory = writeFiles(join(root, 'case'), filesOf(series(4, {})))
  const read = await write(directory, join(root, 'seg.dcm'))
  const [lung, lesion] = read.segments
  t.match(lung, {
    type: ['39607008', 'SCT', 'Lung'],
    category: ['123037004', 'SCT'],
    algorithmType: 'AUTOMATIC',
  })
  t.match(lesion, {
    type: ['52988006', 'SCT', 'Lesion'],
    category: ['49755003', 'SCT'],
    algorithmType: 'AUTOMATIC',
  })
  t.equal(lesion!.algorithm, `SHA-256 of the model file: ${model.sha256}`)
  t.equal(lung!.algorithm, null, 'no lung model is told of')
  // Sky blue and orange: the signs of a* and b* say it.
  const [blue, orange] = read.segments.map(({ lab }) => labOf(lab))
  t.ok(blue![1] < -10 && blue![2] < -30, `${blue}`)
  t.ok(orange![1] > 30 && orange![2] > 60, `${orange}`)
  t.match(read, { ContentLabel: 'RESEARCH_USE', ContentDescription: /Research use, not a medical device/ })
  t.match(read.ImageComments, disclaimer)
})

t.test('lesions across slices are segments in the order of their measurements', async (t) => {
  const root = t.testdir()
  await using segmenter = (await networks(root)).segmenter
  await using lungModel = (await networks(root)).lungs
  const slices = scan([...lungs, lower, upper]).map((slice) => ({
    ...slice,
    change: [...slice.change!, frameOfReference],
  }))
  using opened = openCase(writeFiles(join(root, 'case'), filesOf(slices)))
  const diagnosis = await diagnose({ segmenter, lungs: lungModel }, opened, { sliceThreshold: 5 })
  const path = join(root, 'seg.dcm')
  writeFileSync(path, await dicomSegmentation(diagnosis, opened, { perLesion: true }))
  const read = readSegmentation(path)
  t.same(
    read.segments.map(({ label }) => label),
    ['Lungs', 'Lesion 1', 'Lesion 2'],
  )
  t.equal(read.segments[0]!.algorithm, `SHA-256 of the model file: ${diagnosis.models[1]!.sha256}`)
  t.equal(new Set(read.segments.map(({ trackingUid }) => trackingUid)).size, 3)
  const boxes = [upper, lower].sort(
    (a, b) =>
      (b.x[1] - b.x[0]) * (b.y[1] - b.y[0]) * (b.z[1] - b.z[0]) -
      (a.x[1] - a.x[0]) * (a.y[1] - a.y[0]) * (a.z[1] - a.z[0]),
  )
  for (const [index, box] of boxes.entries()) {
    const frames = read.frames.filter(({ segment }) => segment === index + 2)
    t.same(
      frames.map(({ source }) => source),
      Array.from({ length: box.z[1] - box.z[0] }, (_, z) => `1.2.3.${box.z[0] + z}`),
    )
    const expected = Uint8Array.from({ length: size * size }, (_, i) => {
      const [x, y] = [i % size, Math.floor(i / size)]
      return x >= box.x[0] && x < box.x[1] && y >= box.y[0] && y < box.y[1] ? 1 : 0
    })
    for (const { mask } of frames) t.same(mask, expected, `lesion ${index + 1}`)
    const pixels = frames.reduce((sum, frame) => sum + frame.pixels, 0)
    const centre = [0, 1, 2].map((axis) => frames.reduce((sum, f) => sum + f.sumMm[axis]!, 0) / pixels)
    const middle = ([low, high]: [number, number]) => (low + high - 1) / 2
    // Pixels of 0.75 × 0.5 mm, slices 2 mm apart towards the feet.
    t.ok(distance(centre, [0.75 * middle(box.x), 0.5 * middle(box.y), -2 * middle(box.z)]) < 1e-3)
    const { centroidX, centroidY } = diagnosis.involvement!.lesions[index]!
    t.ok(distance([centre[0]! / 0.75, centre[1]! / 0.5], [centroidX, centroidY]) < 1e-3, 'its measurement')
  }
  t.equal(read.frames.filter(({ segment }) => segment === 1).length, count, 'lungs are in every slice')
})

t.test('what touches at a corner, also of the next slice, is one lesion', async (t) => {
  const root = t.testdir()
  // By slice, row and column: a staircase through three slices, and two pixels that are two apart.
  const points = ['0 1 1', '1 2 2', '2 1 3', '0 4 6', '2 4 6']
  const of = (number: number, row: number, column: number): Pixel =>
    points.includes(`${number} ${row} ${column}`) ? 'lesion' : 'tissue'
  const slices = stack(3, (number) => ({ change: [frameOfReference, ...pixels(number, 6, 8, of)] }))
  const directory = writeFiles(join(root, 'case'), filesOf(slices))
  const read = await write(directory, join(root, 'seg.dcm'), { perLesion: true }, isOf, false)
  t.same(
    read.frames.map(({ segment, source, mask }) => [segment, source, mask.indexOf(1)]),
    [
      [1, '1.2.3.2', 11],
      [1, '1.2.3.1', 18],
      [1, '1.2.3.0', 9],
      [2, '1.2.3.2', 38],
      [3, '1.2.3.0', 38],
    ],
  )
})
