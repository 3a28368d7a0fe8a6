import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { dicomSegmentation, openCase } from '../../ts'
import { type CtSlice, ctElements, element, encodeDicom, filesOf, writeFiles } from './dicom-files'
import {
  distance,
  frameOfReference,
  isOf,
  outline,
  type Pixel,
  pixelOf,
  pixels,
  series,
  write,
} from './segmentation-cases'
import {
  dciodvfyMissing,
  dcmdump,
  errorsOfDciodvfy,
  type ReadSegmentation,
  readSegmentation,
} from './segmentation-readers'
import { sharedData } from './shared-data'

const [cos, sin] = [Math.cos(0.3), Math.sin(0.3)]
const tilted = [1, 0, 0, 0, cos, -sin]
const allSeries: Record<
  string,
  { slices: CtSlice[]; rows: number; columns: number; spacing: [number, number] }
> = {
  plain: { slices: series(7, {}), rows: 6, columns: 8, spacing: [0.5, 0.75] },
  'odd sizes': { slices: series(7, { rows: 33, columns: 31 }), rows: 33, columns: 31, spacing: [0.5, 0.75] },
  'one column': { slices: series(5, { rows: 7, columns: 1 }), rows: 7, columns: 1, spacing: [0.5, 0.75] },
  'pixels that are not square': {
    slices: series(4, { rows: 5, columns: 9, spacing: [1.25, 0.3333333] }),
    rows: 5,
    columns: 9,
    spacing: [1.25, 0.3333333],
  },
  'negated cosines': {
    slices: series(5, {}, () => ({ orientation: [-1, 0, 0, 0, -1, 0] })),
    rows: 6,
    columns: 8,
    spacing: [0.5, 0.75],
  },
  oblique: {
    slices: series(5, { rows: 9, columns: 7 }, (number) => ({
      orientation: tilted,
      position: [-10.5, -20 + 2 * number * sin, 2 * number * cos],
    })),
    rows: 9,
    columns: 7,
    spacing: [0.5, 0.75],
  },
  'many slices': { slices: series(600, {}), rows: 6, columns: 8, spacing: [0.5, 0.75] },
  'one slice': { slices: series(2, {}).slice(1), rows: 6, columns: 8, spacing: [0.5, 0.75] },
}

/** Holds a binary segmentation against the slices that its source was written of. */
function agrees(
  t: Test,
  read: ReadSegmentation,
  name: keyof typeof allSeries,
  classes: readonly ('lungs' | 'lesions')[],
) {
  const { slices, rows, columns, spacing } = allSeries[name]!
  const several = read.frames.length > 1 ? [read.frames.length] : []
  t.same(read.gdcm, { dimensions: [columns, rows, ...several], isSame: true }, `${name}: what GDCM reads`)
  let frames = 0
  for (const [segment, kind] of classes.entries()) {
    const expected = { pixels: 0, sum: [0, 0, 0] }
    const found = { pixels: 0, sum: [0, 0, 0] }
    for (const { number, position, orientation = [1, 0, 0, 0, 1, 0] } of slices) {
      const mask = Uint8Array.from({ length: rows * columns }, (_, i) => {
        const pixel = pixelOf(number, Math.floor(i / columns), i % columns)
        return pixel === 'lesion' || (kind === 'lungs' && pixel === 'lung') ? 1 : 0
      })
      const of = read.frames.filter((f) => f.segment === segment + 1 && f.source === `1.2.3.${number}`)
      const what = `${name}, ${kind} of slice ${number}`
      t.equal(of.length, mask.includes(1) ? 1 : 0, `${what}: a frame where there is a pixel`)
      const [frame] = of
      if (!frame) continue
      frames++
      t.same(frame.mask, mask, `${what}: the mask`)
      t.ok(distance(frame.position, position) < 1e-3, `${what}: the position`)
      t.ok(distance(frame.orientation, orientation) < 1e-6, `${what}: the orientation`)
      t.ok(distance(frame.spacing, spacing) < 1e-6, `${what}: the spacing`)
      t.equal(frame.sourceClass, '1.2.840.10008.5.1.4.1.1.2')
      t.equal(frame.sourceFrame, null)
      found.pixels += frame.pixels
      found.sum = found.sum.map((value, axis) => value + frame.sumMm[axis]!)
      for (const [i, value] of mask.entries()) {
        if (value === 0) continue
        expected.pixels++
        const [down, along] = [Math.floor(i / columns) * spacing[0], (i % columns) * spacing[1]]
        expected.sum = expected.sum.map(
          (sum, axis) => sum + position[axis]! + along * orientation[axis]! + down * orientation[axis + 3]!,
        )
      }
    }
    const mean = ({ pixels, sum }: typeof found) => sum.map((value) => value / pixels)
    t.equal(found.pixels, expected.pixels)
    t.ok(distance(mean(found), mean(expected)) < 0.1, `${name}, ${kind}: the centroid`)
  }
  t.equal(read.frames.length, frames, `${name}: no other frame`)
}

t.test('masks, places and sources of frames are what pydicom reads', async (t) => {
  const root = t.testdir()
  for (const [name, { slices }] of Object.entries(allSeries)) {
    const directory = writeFiles(join(root, name), filesOf(slices))
    const read = await write(directory, join(root, `${name}.dcm`))
    agrees(t, read, name, ['lungs', 'lesions'])
    t.same(
      read.segments.map(({ label }) => label),
      ['Lungs', 'Lesions'],
    )
    const instances = slices.map(({ number }) => `1.2.3.${number}`)
    t.same(read.referenced, [['1.2.3', instances.reverse()]], `${name}: the series that it refers to`)
    t.match(read, { StudyInstanceUID: '1.2', FrameOfReferenceUID: '1.2.9', SegmentationType: 'BINARY' })
    const steps = read.frames.map(({ step }) => step)
    if (slices.length > 1) t.ok(steps.every((step) => Math.abs(step! - 2) < 1e-6))
    else t.same(new Set(steps), new Set([null]))
  }
})

t.test(
  'DCMTK reads what was written, and dciodvfy has nothing against it',
  { skip: dciodvfyMissing },
  async (t) => {
    const root = t.testdir()
    for (const [name, { slices }] of Object.entries(allSeries)) {
      const directory = writeFiles(join(root, name), filesOf(slices))
      const others = slices.length < 100 ? [{ perLesion: true }, { emptyFrames: true }] : []
      for (const options of [{}, ...others]) {
        const path = join(root, 'seg.dcm')
        await write(directory, path, options)
        t.same(errorsOfDciodvfy(path), ['Segmentation'], `${name} ${JSON.stringify(options)}`)
        t.match(dcmdump(path), /\(0062,0001\) CS \[BINARY\]/)
      }
    }
  },
)

t.test('index values of dimensions count up from 1 without a gap, from the head down', async (t) => {
  const root = t.testdir()
  const thick = () => ({ change: [element('00180050', 'DS', '1.5')] })
  const read = await write(
    writeFiles(join(root, 'case'), filesOf(series(7, {}, thick))),
    join(root, 'seg.dcm'),
  )
  t.ok(read.frames.every(({ thickness }) => thickness === 1.5))
  // Lung or lesion is in slices 5, 4, 3 and 1 from the head; lesion in 4 and 1.
  t.same(
    read.frames.map(({ source, indices }) => [source, ...indices]),
    [
      ['1.2.3.5', 1, 1],
      ['1.2.3.4', 1, 2],
      ['1.2.3.3', 1, 3],
      ['1.2.3.1', 1, 4],
      ['1.2.3.4', 2, 2],
      ['1.2.3.1', 2, 4],
    ],
  )
  const all = await write(join(root, 'case'), join(root, 'all.dcm'), { emptyFrames: true })
  t.same(
    all.frames.map(({ segment, source, indices }) => [segment, source, ...indices]),
    [1, 2].flatMap((segment) => [6, 5, 4, 3, 2, 1, 0].map((n) => [segment, `1.2.3.${n}`, segment, 7 - n])),
  )
})

t.test('a label map has a number a pixel, compressed or not', async (t) => {
  const root = t.testdir()
  const { slices, rows, columns } = allSeries['odd sizes']!
  const directory = writeFiles(join(root, 'case'), filesOf(slices))
  for (const compression of ['none', 'rle'] as const) {
    const path = join(root, `${compression}.dcm`)
    const read = await write(directory, path, { type: 'labelmap', compression })
    t.match(read, {
      SOPClassUID: '1.2.840.10008.5.1.4.1.1.66.7',
      SegmentationType: 'LABELMAP',
      BitsAllocated: '8',
      PixelPaddingValue: '0',
      transferSyntax: compression === 'rle' ? '1.2.840.10008.1.2.5' : '1.2.840.10008.1.2.1',
    })
    const shown = slices.filter(({ number }) => number % 2 === 1 || number % 3 === 1)
    t.equal(read.frames.length, shown.length)
    for (const { number } of shown) {
      const frame = read.frames.find(({ source }) => source === `1.2.3.${number}`)!
      const labels = { tissue: 0, lung: 1, lesion: 2 }
      const expected = Uint8Array.from(
        { length: rows * columns },
        (_, i) => labels[pixelOf(number, Math.floor(i / columns), i % columns)],
      )
      t.same(frame.mask, expected, `${compression}: slice ${number}`)
      t.equal(frame.segment, null)
      t.equal(frame.indices.length, 1)
    }
  }
  if (dciodvfyMissing) return
  execFileSync('dcmdrle', [join(root, 'rle.dcm'), join(root, 'decoded.dcm')])
  const byDcmtk = readSegmentation(join(root, 'decoded.dcm'))
  t.equal(byDcmtk.transferSyntax, '1.2.840.10008.1.2.1')
  t.same(
    byDcmtk.frames.map(({ mask }) => mask),
    readSegmentation(join(root, 'none.dcm')).frames.map(({ mask }) => mask),
    'DCMTK decodes the runs',
  )
})

t.test('runs of any length survive RLE, and more than 255 segments take 16 bits', async (t) => {
  const root = t.testdir()
  const [rows, columns] = [40, 300]
  const dots = (_: number, row: number, column: number): Pixel =>
    row % 2 === 0 && (row > 30 ? column < 290 : column % 2 === 0 && column < 60) ? 'lesion' : 'tissue'
  const slice = {
    number: 0,
    position: [0, 0, 0] as const,
    change: [frameOfReference, ...pixels(0, rows, columns, dots)],
  }
  const directory = writeFiles(join(root, 'case'), filesOf([slice]))
  const options = { type: 'labelmap', compression: 'rle', perLesion: true } as const
  const read = await write(directory, join(root, 'seg.dcm'), options, isOf, false)
  const dotsInAll = 16 * 30
  t.equal(read.segments.length, dotsInAll + 4, 'dots, and four lines')
  t.equal(read.BitsAllocated, '16')
  const values = new Map<number, number>()
  for (const [i, value] of read.frames[0]!.mask.entries()) {
    if (value > 0 !== (dots(0, Math.floor(i / columns), i % columns) === 'lesion')) t.fail(`pixel ${i}`)
    values.set(value, (values.get(value) ?? 0) + 1)
  }
  const sizes = Array.from({ length: dotsInAll + 4 }, (_, index) => values.get(index + 1))
  t.same(sizes, [...Array(4).fill(290), ...Array(dotsInAll).fill(1)])
})

t.test('frames of a file of several are told by their numbers', async (t) => {
  const root = t.testdir()
  const [rows, columns, frames] = [6, 8, 5]
  const parts = Array.from({ length: frames }, (_, n) => pixels(n, rows, columns).at(-1)!.value as Uint8Array)
  const elements = ctElements({
    number: 0,
    position: [0, 0, 0],
    change: [
      frameOfReference,
      element('00080016', 'UI', '1.2.840.10008.5.1.4.1.1.2.1'),
      element('00280008', 'IS', `${frames}`),
      element('52009229', 'SQ', [[element('00289110', 'SQ', [[element('00180050', 'DS', '1.25')]])]]),
      element('7FE00010', 'OW', Buffer.concat(parts)),
      element(
        '52009230',
        'SQ',
        parts.map((_, n) => [element('00209113', 'SQ', [[element('00200032', 'DS', `0\\0\\${2 * n}`)]])]),
      ),
    ],
  }).filter(({ tag }) => tag !== '00200032')
  writeFileSync(join(root, 'many.dcm'), encodeDicom(elements))
  const read = await write(join(root, 'many.dcm'), join(root, 'seg.dcm'))
  t.same(read.referenced, [['1.2.3', ['1.2.3.0']]])
  t.ok(read.frames.every(({ thickness }) => thickness === 1.25))
  t.same(
    read.frames.map(({ segment, sourceFrame, position, sourceClass }) => [
      segment,
      sourceFrame,
      position[2],
      sourceClass,
    ]),
    // Frame 4 lies at 6 mm.
    [
      [1, 5, 8],
      [1, 4, 6],
      [1, 2, 2],
      [2, 5, 8],
      [2, 2, 2],
    ].map((row) => [...row, '1.2.840.10008.5.1.4.1.1.2.1']),
  )
  for (const { sourceFrame, segment, mask } of read.frames)
    for (const [i, value] of mask.entries()) {
      const pixel = pixelOf(sourceFrame! - 1, Math.floor(i / columns), i % columns)
      if (value !== (pixel === 'lesion' || (segment === 1 && pixel === 'lung') ? 1 : 0)) t.fail(`pixel ${i}`)
    }
})

t.test('a class without a pixel has no segment; without any there is no file', async (t) => {
  const root = t.testdir()
  const directory = writeFiles(join(root, 'case'), filesOf(series(4, {})))
  const never = () => false
  const lungsAlone = await write(directory, join(root, 'lungs.dcm'), {}, { ...isOf, lesions: never })
  t.same(
    lungsAlone.segments.map(({ number, label }) => [number, label]),
    [[1, 'Lungs']],
  )
  const lesionsAlone = await write(directory, join(root, 'lesions.dcm'), {}, { ...isOf, lungs: never })
  t.same(
    lesionsAlone.segments.map(({ number, label }) => [number, label]),
    [[1, 'Lesions']],
  )
  t.ok(lesionsAlone.frames.every(({ segment }) => segment === 1))
  const nothing = write(directory, join(root, 'none.dcm'), {}, { lesions: never, lungs: never })
  await t.rejects(nothing, { code: 'INVALID_ARGUMENT', message: /no pixel was outlined.*not legal/ })
})

t.test('a real series', { skip: sharedData.missing }, async (t) => {
  const path = join(t.testdir(), 'seg.dcm')
  const directory = sharedData.path('dicom/covid-ct-md/normal-001')
  using opened = openCase(directory)
  const what = { lesions: (hu: number) => hu > 300, lungs: (hu: number) => hu < -700 }
  const diagnosis = await outline(opened, what)
  writeFileSync(path, await dicomSegmentation(diagnosis, opened))
  const read = readSegmentation(path)
  t.same(
    read.segments.map(({ label }) => label),
    ['Lungs', 'Lesions'],
  )
  const shown = (mask: Uint8Array) => mask.includes(1)
  const masks = [
    ...diagnosis.slices.map(({ lungMask }) => lungMask!).filter(shown),
    ...diagnosis.slices.map(({ segmentation }) => segmentation!.mask).filter(shown),
  ]
  t.equal(read.frames.length, masks.length)
  for (const [index, mask] of masks.entries())
    if (Buffer.compare(mask, read.frames[index]!.mask as Uint8Array) !== 0) t.fail(`frame ${index}`)
  if (!dciodvfyMissing) t.same(errorsOfDciodvfy(path), ['Segmentation'])
})
