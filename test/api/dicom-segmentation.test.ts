import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  type Case,
  createModel,
  type Diagnosis,
  type DicomSegmentationOptions,
  diagnose,
  dicomSegmentation,
  disclaimer,
  type Images,
  openCase,
} from '../../ts'
import {
  type CtSlice,
  ctElements,
  ctSlice,
  element,
  encodeDicom,
  filesOf,
  stack,
  writeFiles,
} from './dicom-files'
import { count, lower, lungs, networks, scan, size, upper } from './lung-scan'
import {
  dciodvfyMissing,
  dcmdump,
  errorsOfDciodvfy,
  type ReadSegmentation,
  readSegmentation,
} from './segmentation-readers'
import { sharedData } from './shared-data'
import { classifierSpec, repositoryRoot } from './small'

const frameOfReference = element('00200052', 'UI', '1.2.9')

/** What a pixel of a slice is, which its stored value says: lung in every second slice, lesion in every third. */
type Pixel = 'lesion' | 'lung' | 'tissue'
const stored = { lesion: 1524, lung: 224, tissue: 1024 }
const isOf = { lesions: (hu: number) => hu > 300, lungs: (hu: number) => hu < -500 || hu > 300 }

function pixelOf(number: number, row: number, column: number): Pixel {
  if (number % 3 === 1 && (row * 5 + column * 3 + number) % 7 < 2) return 'lesion'
  return number % 2 === 1 && column % 4 !== 0 ? 'lung' : 'tissue'
}

/** Elements of a slice of such pixels. */
function pixels(number: number, rows: number, columns: number, of = pixelOf) {
  const values = Uint16Array.from(
    { length: rows * columns },
    (_, i) => stored[of(number, Math.floor(i / columns), i % columns)],
  )
  return [
    element('00280010', 'US', [rows]),
    element('00280011', 'US', [columns]),
    element('7FE00010', 'OW', new Uint8Array(values.buffer)),
  ]
}

const model = {
  role: 'segmenter',
  network: 'unet',
  sha256: 'ab'.repeat(32),
  window: { center: -600, width: 1500 },
}

/** A diagnosis that outlines what values say. */
async function outline(opened: Case, what = isOf, withLungs = true): Promise<Diagnosis> {
  const slices = []
  for await (const index of opened.indices(undefined)) {
    const { data } = await opened.image(index)
    const maskOf = (test: (hu: number) => boolean) => Uint8Array.from(data, (value) => (test(value) ? 1 : 0))
    slices.push({
      index,
      segmentation: { mask: maskOf(what.lesions) },
      ...(withLungs && { lungMask: maskOf(what.lungs) }),
    })
  }
  return { slices, models: [model], notices: [], version: '1' } as unknown as Diagnosis
}

async function write(
  images: Images,
  path: string,
  options: DicomSegmentationOptions = {},
  what = isOf,
  withLungs = true,
): Promise<ReadSegmentation> {
  using opened = openCase(images)
  writeFileSync(path, await dicomSegmentation(await outline(opened, what, withLungs), opened, options))
  return readSegmentation(path)
}

interface Shape {
  rows?: number
  columns?: number
  spacing?: [number, number]
}
function series(
  count: number,
  { rows = 6, columns = 8, spacing }: Shape,
  change: (n: number) => Partial<CtSlice> = () => ({}),
) {
  return stack(count, (number) => {
    const { change: more = [], ...rest } = change(number)
    const distance = spacing ? [element('00280030', 'DS', spacing.join('\\'))] : []
    return { change: [frameOfReference, ...pixels(number, rows, columns), ...distance, ...more], ...rest }
  })
}

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
  'one slice': { slices: series(2, {}).slice(1), rows: 6, columns: 8, spacing: [0.5, 0.75] },
}

type Point = readonly number[]
const distance = (a: Point, b: Point) => Math.hypot(...a.map((value, i) => value - b[i]!))

/** Holds a binary segmentation against the slices that its source was written of. */
function agrees(
  t: Test,
  read: ReadSegmentation,
  name: keyof typeof allSeries,
  classes: readonly ('lungs' | 'lesions')[],
) {
  const { slices, rows, columns, spacing } = allSeries[name]!
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
      for (const options of [{}, { perLesion: true }, { emptyFrames: true }]) {
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
  const read = await write(writeFiles(join(root, 'case'), filesOf(series(7, {}))), join(root, 'seg.dcm'))
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
  // Of skimage.color.rgb2lab([86, 180, 233], illuminant='D50') and [255, 140, 26], without Bradford's adaptation some
  // units off: L* 69, a* −13, b* −35; L* 70, a* 41, b* 71.
  const lab = ([l, a, b]: readonly number[]) => [
    (l! * 100) / 65535,
    (a! * 255) / 65535 - 128,
    (b! * 255) / 65535 - 128,
  ]
  t.ok(distance(lab(lung!.lab), [69, -13, -35]) < 6, `${lab(lung!.lab)}`)
  t.ok(distance(lab(lesion!.lab), [70, 41, 71]) < 6, `${lab(lesion!.lab)}`)
  t.match(read, { ContentLabel: 'RESEARCH_USE', ContentDescription: /Research use, not a medical device/ })
  t.match(read.ImageComments, disclaimer)
})

t.test('UIDs follow from what is outlined in what, and by what', async (t) => {
  const root = t.testdir()
  const directory = writeFiles(join(root, 'case'), filesOf(series(4, {})))
  const first = await write(directory, join(root, 'a.dcm'))
  const again = await write(directory, join(root, 'b.dcm'))
  t.equal(again.SOPInstanceUID, first.SOPInstanceUID)
  t.equal(again.SeriesInstanceUID, first.SeriesInstanceUID)
  t.same(again.segments, first.segments)
  for (const uid of [first.SOPInstanceUID, first.SeriesInstanceUID]) {
    t.match(uid, /^2\.25\.[1-9]\d{30,38}$/)
    t.ok(BigInt(uid.slice(5)) < 2n ** 128n)
  }
  const others = [
    await write(directory, join(root, 'c.dcm'), { emptyFrames: true }),
    await write(directory, join(root, 'd.dcm'), { type: 'labelmap' }),
    await write(directory, join(root, 'e.dcm'), {}, { ...isOf, lesions: (hu) => hu > 300 || hu < -700 }),
  ]
  const uids = new Set([first, ...others].map(({ SOPInstanceUID }) => SOPInstanceUID))
  t.equal(uids.size, 4, 'other files have others')
  using opened = openCase(directory)
  const diagnosis = await outline(opened)
  const models = [{ ...diagnosis.models[0]!, sha256: 'cd'.repeat(32) }]
  writeFileSync(join(root, 'f.dcm'), await dicomSegmentation({ ...diagnosis, models }, opened))
  t.not(readSegmentation(join(root, 'f.dcm')).SeriesInstanceUID, first.SeriesInstanceUID, 'another model')
})

t.test('what cannot be referred to is refused, with the way out', async (t) => {
  const root = t.testdir()
  let cases = 0
  const refused = async (change: CtSlice['change'], message: RegExp, without?: string) => {
    const slice = series(2, {}, () => ({ change: change! })).at(-1)!
    const elements = ctElements(slice).filter(({ tag }) => tag !== without)
    const directory = writeFiles(join(root, `${cases++}`), { slice: encodeDicom(elements) })
    await t.rejects(write(directory, join(root, 'seg.dcm')), { code: 'INVALID_ARGUMENT', message })
  }
  await refused([element('00080018', 'UI', '')], /SOPInstanceUID of 'slice' is missing.*valid UIDs/)
  await refused([element('00080018', 'UI', '1.2.03')], /SOPInstanceUID of 'slice' is no valid UID/)
  await refused([element('0020000D', 'UI', 'P002')], /StudyInstanceUID of the series is no valid UID/)
  await refused([element('0020000E', 'UI', '1.2.')], /SeriesInstanceUID of the series is no valid UID/)
  await refused([], /FrameOfReferenceUID of the series is missing/, '00200052')
  await refused([], /does not say where in the patient/, '00200032')
  await refused([element('0020000D', 'UI', `1.${'2'.repeat(63)}`)], /StudyInstanceUID/)

  using pictures = openCase([{ data: new Uint8Array(64 * 64), width: 64, height: 64 }])
  const picture = await outline(pictures)
  await t.rejects(dicomSegmentation(picture, pictures), {
    code: 'INVALID_ARGUMENT',
    message: /not a DICOM series.*niftiMask/,
  })
  const directory = writeFiles(join(root, 'case'), filesOf(series(4, {})))
  const rejects = async (options: object, code: string, message: RegExp) =>
    t.rejects(write(directory, join(root, 'seg.dcm'), options), { code, message })
  await rejects({ compression: 'rle' }, 'INVALID_ARGUMENT', /single bits.*labelmap/)
  await rejects({ type: 'fractional' }, 'INVALID_ARGUMENT', /'binary', 'labelmap'/)
  await rejects({ perLesion: 1 }, 'INVALID_TYPE', /perLesion must be true or false/)
  await rejects({ newUids: true }, 'INVALID_ARGUMENT', /has no option 'newUids'/)
  using opened = openCase(directory)
  const diagnosis = await outline(opened)
  const fewer = { ...diagnosis, slices: diagnosis.slices.slice(1) }
  await t.rejects(dicomSegmentation(fewer, opened), { code: 'INVALID_ARGUMENT', message: /were diagnosed/ })
  const negative = { ...diagnosis, slices: diagnosis.slices.map(() => ({})) } as unknown as Diagnosis
  await t.rejects(dicomSegmentation(negative, opened), {
    code: 'INVALID_ARGUMENT',
    message: /nothing was segmented/,
  })
  writeFileSync(join(root, 'other.dcm'), ctSlice({ number: 0, position: [0, 0, 0], series: '1.2.7' }))
  using gone = openCase(join(root, 'case'))
  const diagnosed = await outline(gone)
  for (const name of Object.keys(filesOf(series(4, {}))))
    writeFiles(directory, { [name]: ctSlice({ number: 9, position: [0, 0, 0], series: '1.2.7' }) })
  await t.rejects(dicomSegmentation(diagnosed, gone), { code: 'INVALID_ARGUMENT', message: /was replaced/ })
})

t.test('the patient is named as in the source, in whatever characters, and only there', async (t) => {
  const root = t.testdir()
  const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
  // Latin letters among the Russian ones are the standard's own. PS3.5, H.3.1, H.3.2, I.2 and J.3; and what scanners of other countries write.
  const names: [string, Uint8Array, string][] = [
    ['ISO_IR 100', Buffer.from('Müller^Jörg', 'latin1'), 'Müller^Jörg'],
    ['ISO_IR 192', Buffer.from('Wáng^小东'), 'Wáng^小东'],
    ['ISO_IR 144', hex('bb ee da 63 65 dc d1 79 70 d3'), 'Люк\x63\x65мб\x79\x70г'],
    [
      '\\ISO 2022 IR 87',
      Buffer.concat([
        Buffer.from('Yamada^Tarou='),
        hex('1b 24 42 3b 33 45 44 1b 28 42 5e 1b 24 42 42 40 4f 3a 1b 28 42 3d'),
        hex('1b 24 42 24 64 24 5e 24 40 1b 28 42 5e 1b 24 42 24 3f 24 6d 24 26 1b 28 42'),
      ]),
      'Yamada^Tarou=山田^太郎=やまだ^たろう',
    ],
    [
      'ISO 2022 IR 13\\ISO 2022 IR 87',
      Buffer.concat([
        hex('d4 cf c0 de 5e c0 db b3 3d'),
        hex('1b 24 42 3b 33 45 44 1b 28 4a 5e 1b 24 42 42 40 4f 3a 1b 28 4a'),
      ]),
      'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎',
    ],
    [
      '\\ISO 2022 IR 149',
      Buffer.concat([Buffer.from('Hong^Gildong='), hex('1b 24 29 43 fb f3 5e 1b 24 29 43 d1 ce d4 d7')]),
      'Hong^Gildong=洪^吉洞',
    ],
    [
      'GB18030',
      hex('57 61 6e 67 5e 58 69 61 6f 44 6f 6e 67 3d cd f5 5e d0 a1 b6 ab 3d'),
      'Wang^XiaoDong=王^小东',
    ],
  ]
  for (const [set, bytes, expected] of names) {
    const change = [
      element('00080005', 'CS', set),
      element('00100010', 'PN', bytes),
      element('00080020', 'DA', '20200317'),
      element('00080030', 'TM', '101112.5'),
      element('00080050', 'SH', 'A-17'),
      element('00080090', 'PN', bytes),
      element('00081030', 'LO', 'Thorax'),
      element('00100040', 'CS', 'F'),
      element('00200010', 'SH', 'S-3'),
      element('00282110', 'CS', '01'),
    ]
    const directory = writeFiles(
      join(root, set.replaceAll('\\', '+')),
      filesOf(series(2, {}, () => ({ change }))),
    )
    const read = await write(directory, join(root, 'seg.dcm'))
    const plain = (name: string) => name.replace(/=*$/, '')
    t.equal(plain(read.PatientName), expected, set)
    t.match(read, {
      PatientID: 'PATIENT-4711',
      PatientBirthDate: '19610203',
      PatientSex: 'F',
      StudyDate: '20200317',
      AccessionNumber: 'A-17',
      StudyID: 'S-3',
      StudyDescription: 'Thorax',
      LossyImageCompression: '01',
    })
    t.equal(plain(read.ReferringPhysicianName as string), expected)
    t.match(read.StudyTime, /^101112\.5/)
    if (!dciodvfyMissing) t.match(dcmdump(join(root, 'seg.dcm')), /ISO_IR 192/)
    using opened = openCase(directory)
    const diagnosis = await outline(opened)
    t.notMatch(JSON.stringify([diagnosis, opened.series, opened.warnings, opened]), /PATIENT-4711|19610203/)
  }
  const unknown = series(2, {}, () => ({ change: [element('00080005', 'CS', 'ISO_IR 999')] }))
  const directory = writeFiles(join(root, 'unknown'), filesOf(unknown))
  await t.rejects(write(directory, join(root, 'seg.dcm')), {
    code: 'UNSUPPORTED_FORMAT',
    message: /ISO_IR 999/,
  })
})

t.test('what is longer than DICOM allows is neither cut off nor told', async (t) => {
  const root = t.testdir()
  const id = 'P-1234567890'.repeat(7)
  const change = [
    element('00100010', 'PN', 'N'.repeat(70)),
    element('00100020', 'LO', id),
    element('00080050', 'SH', 'A-1234567890-1234567890'),
  ]
  const directory = writeFiles(join(root, 'case'), filesOf(series(2, {}, () => ({ change }))))
  const told: unknown[] = []
  for (const method of ['log', 'info', 'warn', 'error'] as const)
    t.intercept(console, method, { value: (...words: unknown[]) => told.push(...words) })
  const read = await write(directory, join(root, 'seg.dcm'))
  t.match(read, { PatientName: 'N'.repeat(70), PatientID: id, AccessionNumber: 'A-1234567890-1234567890' })
  t.same(told, [])
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

t.test('a case as it was found, without usable UIDs', { skip: sharedData.missing }, async (t) => {
  using opened = openCase(sharedData.path('dicom/covid-ct-md/covid-P002'))
  const diagnosis = await outline(opened)
  await t.rejects(dicomSegmentation(diagnosis, opened), {
    code: 'INVALID_ARGUMENT',
    message: /no valid UID.*give copies of the files valid UIDs/,
  })
})

t.test('the command writes a segmentation, or says why there is none', async (t) => {
  const root = t.testdir({ case: {}, plain: {} })
  const made = await networks(root)
  const files = { lungs: join(root, 'lungs.safetensors'), segmenter: join(root, 'segmenter.safetensors') }
  await made.lungs.save(files.lungs)
  await made.segmenter.save(files.segmenter)
  await Promise.all([made.lungs.dispose(), made.segmenter.dispose()])
  const withFrame = (slices: CtSlice[]) =>
    slices.map((slice) => ({ ...slice, change: [...slice.change!, frameOfReference] }))
  writeFiles(join(root, 'case'), filesOf(withFrame(scan([...lungs, upper]))))
  writeFiles(join(root, 'plain'), filesOf(scan([...lungs, upper])))
  const run = (folder: string, seg: string, ...more: string[]) => {
    const command = [join(repositoryRoot, 'dist/cli/main.js'), 'diagnose', join(root, folder), '--seg', seg]
    const options = ['-s', files.segmenter, '--slice-threshold', '7', ...more]
    const { status, stdout, stderr } = spawnSync(process.execPath, [...command, ...options], {
      encoding: 'utf8',
    })
    t.notMatch(stdout + stderr, /Doe|PATIENT-4711|19610203/)
    return { status, stderr }
  }
  const path = join(root, 'seg.dcm')
  t.match(run('case', path, '--lungs', files.lungs, '--json'), { status: 0 })
  const read = readSegmentation(path)
  t.equal(read.PatientName, 'Doe^Jane')
  t.same(
    read.segments.map(({ label }) => label),
    ['Lungs', 'Lesions'],
  )
  t.same(
    readdirSync(root).filter((name) => name.endsWith('.tmp')),
    [],
  )
  // Refused before anything is diagnosed.
  const none = join(root, 'none.dcm')
  t.match(run('plain', none), { status: 2, stderr: /FrameOfReferenceUID of the series is missing/ })
  await using classifier = await createModel(classifierSpec)
  await classifier.save(join(root, 'classifier.safetensors'))
  const negative = run('case', none, '-c', join(root, 'classifier.safetensors'), '--slice-threshold', '30')
  t.match(negative, { status: 0, stderr: /No segmentation was written/ })
  t.notOk(existsSync(none))
})
