import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { listSeries, openCase } from '../../ts/index'
import {
  type CtSlice,
  columns,
  ctElements,
  ctSlice,
  type DicomElement,
  element,
  encodeDicom,
  encodeElement,
  filesOf,
  rows,
  stack,
  writeFiles,
} from './dicom-files'

/** The stored number of each slice, in the order of the case. */
async function numbersOf(scan: ReturnType<typeof openCase>): Promise<number[]> {
  const numbers: number[] = []
  for await (const index of scan.indices(undefined)) numbers.push((await scan.image(index)).data[0]! + 24)
  return numbers
}

async function read(directory: string, options: Parameters<typeof openCase>[1] = {}) {
  using scan = openCase(directory, options)
  const numbers = await numbersOf(scan)
  return {
    numbers,
    series: scan.series!,
    warnings: scan.warnings,
    laterality: scan.laterality,
    names: scan.names,
  }
}

t.test('a folder becomes a case in the order of the patient, the head first', async (t) => {
  const slices = stack(5, (number) => ({ change: [element('00200013', 'IS', String((3 * number) % 5))] }))
  const directory = writeFiles(t.testdir(), {
    ...filesOf(slices.slice(0, 3)),
    'nested/deeper/a': ctSlice(slices[3]!),
    'nested/b.txt': ctSlice(slices[4]!),
    'nested/readme.txt': Buffer.from('not an image'),
    '.hidden': Buffer.from('DICM'),
    DICOMDIR: encodeDicom([element('00080016', 'UI', '1.2.840.10008.1.3.10')]),
    'preview.png': Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
  })
  const { numbers, series, warnings, laterality } = await read(directory)
  t.same(numbers, [4, 3, 2, 1, 0])
  t.match(series, { uid: '1.2.3', modality: 'CT', slices: 5, spacingMm: [0.5, 0.75, 2] })
  t.same(series.excluded, [
    { what: "2 files, 'readme.txt' and others", reason: 'This is no DICOM, which the case is made of.' },
  ])
  t.same(warnings, [])
  t.equal(laterality, 'patient')
})

t.test('bytes, streams and files of one case are put in order as well', async (t) => {
  const [a, b, c] = stack(3)
  const directory = writeFiles(t.testdir(), { c: ctSlice(c!) })
  using scan = openCase([
    ctSlice(a!),
    join(directory, 'c'),
    Readable.from([ctSlice(b!)], { objectMode: false }),
  ])
  t.same(await numbersOf(scan), [2, 1, 0])
  t.equal(scan.total, 3)
  await t.rejects(numbersOf(openCase([ctSlice(a!), { data: new Uint8Array(4), width: 2, height: 2 }])), {
    code: 'INVALID_ARGUMENT',
    message: /one or the other/,
  })
})

t.test('direction cosines of any sign: order by the patient, pixels as stored', async (t) => {
  const cases: Record<string, readonly number[]> = {
    'head first, supine': [1, 0, 0, 0, 1, 0],
    'rows run to the right': [-1, 0, 0, 0, 1, 0],
    'columns run to the front': [1, 0, 0, 0, -1, 0],
    'both, as prone': [-1, 0, 0, 0, -1, 0],
  }
  for (const [name, orientation] of Object.entries(cases)) {
    const slices = stack(4, (number) => {
      const stored = Uint16Array.from({ length: rows * columns }, (_, pixel) => 1000 + number + 50 * pixel)
      return { orientation, change: [element('7FE00010', 'OW', new Uint8Array(stored.buffer))] }
    })
    const directory = writeFiles(t.testdir({}), filesOf(slices))
    using scan = openCase(directory)
    t.same(await numbersOf(scan), [3, 2, 1, 0], name)
    const image = await scan.image(0)
    t.same(
      [...image.data],
      Array.from({ length: rows * columns }, (_, pixel) => 3 + 50 * pixel - 24),
      `${name}: nothing is mirrored`,
    )
    t.same(image.orientation, orientation)
  }
})

t.test('gantry tilt, uneven spacing and gaps are told', async (t) => {
  const sin = Math.sin(Math.PI / 12)
  const cos = Math.cos(Math.PI / 12)
  const tilted = stack(4, (number) => ({
    orientation: [1, 0, 0, 0, cos, -sin],
    position: [0, 0, 2 * number],
  }))
  const { numbers, warnings, series } = await read(writeFiles(t.testdir({}), filesOf(tilted)))
  t.same(numbers, [3, 2, 1, 0])
  t.match(warnings, [/gantry was tilted by 15\.0°/])
  t.ok(Math.abs(series.spacingMm![2] - 2 * cos) < 1e-9, 'the distance along the normal')

  const uneven = stack(6, (number) => ({ position: [0, 0, 2 * number + (number > 2 ? 0.3 : 0)] }))
  t.match((await read(writeFiles(t.testdir({}), filesOf(uneven)))).warnings, [
    /varies from 2\.00 to 2\.30 mm/,
  ])

  const gap = writeFiles(
    t.testdir({}),
    filesOf(stack(8).filter(({ number }) => number !== 3 && number !== 4)),
  )
  const found = await read(gap)
  t.same(found.numbers, [7, 6, 5, 2, 1, 0])
  t.match(found.warnings, [/Slices are missing between .*6\.0 mm apart where 2\.0 mm are usual/])
  t.equal(found.series.spacingMm![2], 2)
  await t.rejects(read(gap, { onGap: 'refuse' }), { code: 'INCOMPLETE_SERIES', message: /onGap: 'warn'/ })
})

t.test('what is not one of the slices is left out, and why is told', async (t) => {
  const slices = stack(4)
  const other = (number: number, change: readonly DicomElement[]) => ctSlice({ ...slices[number]!, change })
  const directory = writeFiles(t.testdir({}), {
    ...filesOf(slices),
    copy: ctSlice(slices[1]!),
    localizer: other(0, [element('00080008', 'CS', 'ORIGINAL\\PRIMARY\\LOCALIZER')]),
    coronal: other(0, [element('00200037', 'DS', '1\\0\\0\\0\\0\\-1')]),
    dose: encodeDicom([
      element('00080016', 'UI', '1.2.840.10008.5.1.4.1.1.88.67'),
      element('00080060', 'CS', 'SR'),
    ]),
    pet: other(0, [
      element('00080060', 'CS', 'PT'),
      element('00080016', 'UI', '1.2.840.10008.5.1.4.1.1.128'),
    ]),
  })
  const { numbers, series } = await read(directory)
  t.same(numbers, [3, 2, 1, 0])
  const reasons = Object.fromEntries(series.excluded.map(({ what, reason }) => [what, reason]))
  t.match(reasons, {
    "'localizer'": /A localizer/,
    "'coronal'": /another orientation, size/,
    "'dose'": /^It holds no pixels: it is a radiation dose report/,
    "'pet'": /a PET image \(PT\); CT is read/,
  })
  t.ok(series.excluded.some(({ reason }) => /A duplicate/.test(reason)))
})

t.test('several time points in one series are split', async (t) => {
  const at = (acquisition: number) =>
    stack(4).map((slice) => ({
      ...slice,
      uid: `1.${acquisition}.${slice.number}`,
      change: [element('00200012', 'IS', String(acquisition))],
    }))
  const second = at(2)
    .slice(0, 3)
    .map((slice) => ({ ...slice, number: slice.number + 10 }))
  const { numbers, series } = await read(writeFiles(t.testdir({}), filesOf([...second, ...at(1)])))
  t.same(numbers, [3, 2, 1, 0], 'the one with more slices')
  t.match(series.excluded, [{ what: /^3 slices/, reason: /acquisition or time point/ }])

  // Two halves of a chest, one after the other, that share the slice between them.
  const half = (acquisition: number) => (slice: CtSlice) => ({
    ...slice,
    uid: `1.${acquisition}.${slice.number}`,
    change: [element('00200012', 'IS', String(acquisition))],
  })
  const upper = stack(7).slice(3).map(half(1))
  const lower = stack(4).map(half(2))
  const whole = await read(writeFiles(t.testdir({}), filesOf([...lower, ...upper])))
  t.same(whole.numbers, [6, 5, 4, 3, 2, 1, 0], 'acquisitions one after the other are one volume')
  t.match(whole.series.excluded, [{ reason: /A duplicate/ }])

  const numbered = stack(4, (number) => ({ change: [element('00200012', 'IS', String(number))] }))
  t.same(
    (await read(writeFiles(t.testdir({}), filesOf(numbered)))).numbers,
    [3, 2, 1, 0],
    'a number for every slice',
  )
})

t.test('of several series the one with the most axial slices is taken, or the one asked for', async (t) => {
  const sagittal = stack(6, (number) => ({
    series: '1.9',
    orientation: [0, 1, 0, 0, 0, -1],
    position: [number, 0, 0],
  }))
  const short = stack(2, () => ({ series: '1.8' }))
  const directory = writeFiles(t.testdir({}), { ...filesOf([...sagittal, ...short, ...stack(4)]) })
  const { numbers, series, warnings } = await read(directory)
  t.same(numbers, [3, 2, 1, 0])
  t.match(warnings, [/3 series were found; .* 1\.2\.3 \(4 slices\), was taken/])
  t.match(series.excluded, [{ what: /series 1\.8 \(2 slices\)/ }, { what: /series 1\.9 \(6 slices\)/ }])
  t.same((await read(directory, { series: '1.8' })).numbers, [1, 0])
  t.match((await read(directory, { series: '1.9' })).warnings, [/not axial/])
  await t.rejects(read(directory, { series: '5' }), {
    code: 'INVALID_ARGUMENT',
    message: /1\.2\.3 \(4 slices\)/,
  })

  await t.rejects(openCase({ data: new Uint8Array(4), width: 2, height: 2 }, { series: '1.8' }).image(0), {
    code: 'INVALID_ARGUMENT',
    message: /no DICOM/,
  })

  const listed = await listSeries(directory)
  t.match(listed.series, [
    { uid: '1.2.3', slices: 4, isAxial: true },
    { uid: '1.8', slices: 2 },
    { uid: '1.9', slices: 6, isAxial: false },
  ])
})

t.test('enhanced CT: frames in any order, geometry of each from its functional groups', async (t) => {
  const order = [2, 0, 3, 1]
  const frame = (number: number): DicomElement[] => [
    element('00209113', 'SQ', [[element('00200032', 'DS', `0\\0\\${2 * number}`)]]),
    element('00209145', 'SQ', [
      [element('00281052', 'DS', String(-1000 - number)), element('00281053', 'DS', '2')],
    ]),
  ]
  const shared: DicomElement[] = [
    element('00209116', 'SQ', [[element('00200037', 'DS', '1\\0\\0\\0\\1\\0')]]),
    element('00289110', 'SQ', [[element('00280030', 'DS', '0.6\\0.6')]]),
  ]
  const stored = Uint16Array.from(
    { length: order.length * rows * columns },
    (_, i) => order[Math.floor(i / (rows * columns))]!,
  )
  const elements = ctElements({
    number: 1,
    position: [0, 0, 0],
    change: [
      element('00080016', 'UI', '1.2.840.10008.5.1.4.1.1.2.1'),
      element('00280008', 'IS', String(order.length)),
      element('52009229', 'SQ', [shared]),
      element('52009230', 'SQ', order.map(frame)),
      element('7FE00010', 'OW', new Uint8Array(stored.buffer)),
    ],
  }).filter(({ tag }) => !['00200032', '00200037', '00280030', '00281052', '00281053'].includes(tag))
  using scan = openCase(encodeDicom(elements))
  const first = []
  for await (const index of scan.indices(undefined)) first.push((await scan.image(index)).data[0])
  t.same(
    first,
    [3, 2, 1, 0].map((number) => 2 * number - 1000 - number),
  )
  t.same(scan.series!.spacingMm, [0.6, 0.6, 2])
  t.match(scan.names[0], /frame 3$/)
})

t.test('bad slices stop, or are left out and reported', async (t) => {
  const directory = writeFiles(t.testdir({}), {
    ...filesOf(stack(6).filter(({ number }) => number !== 2)),
    cut: ctSlice(stack(3)[2]!).subarray(0, 500),
    'claims.dcm': Buffer.from('something else'),
  })
  await t.rejects(read(directory), { code: 'CORRUPT_FILE' })
  const { numbers, warnings } = await read(directory, { onBadSlice: 'skip' })
  t.same(numbers, [5, 4, 3, 1, 0])
  t.match(warnings.join('\n'), /'claims\.dcm' could not be read/)

  const damagedPixels = ctSlice(stack(3)[2]!)
  damagedPixels.writeUInt32LE(20, damagedPixels.length - 2 * rows * columns - 4)
  const late = writeFiles(t.testdir({}), {
    ...filesOf(stack(6).filter(({ number }) => number !== 2)),
    late: damagedPixels.subarray(0, -60),
  })
  await t.rejects(read(late), { code: 'CORRUPT_FILE', message: /late/ })
  const skipped = await read(late, { onBadSlice: 'skip' })
  t.same(skipped.numbers, [5, 4, 3, 1, 0])
  t.match(skipped.warnings.join('\n'), /A slice was left out.* gap .*late/)
  await t.rejects(read(late, { onBadSlice: 'skip', onGap: 'refuse' }), { code: 'INCOMPLETE_SERIES' })
})

t.test('UIDs that are none, and value representations of later editions', async (t) => {
  const slices = stack(3, (number) => ({
    uid: '',
    series: 'not a UID',
    change: [element('00080018', 'UI', number === 1 ? '' : 'x')],
  }))
  t.same((await read(writeFiles(t.testdir({}), filesOf(slices)))).numbers, [2, 1, 0])
  const later = ctElements({
    number: 4,
    position: [0, 0, 0],
    change: [element('00720083', 'UV', new Uint8Array(16)), element('7FE00001', 'OV', new Uint8Array(8))],
  })
  using scan = openCase(encodeDicom(later))
  t.same(await numbersOf(scan), [4])
})

/** An element in implicit VR: tag, length, value. */
function implicitElement(one: DicomElement): Buffer {
  const explicit = encodeElement(one)
  const isLong = explicit.readUInt16LE(6) === 0 && explicit.length > 12
  const value = explicit.subarray(isLong ? 12 : 8)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(value.length)
  return Buffer.concat([explicit.subarray(0, 4), length, value])
}

t.test('files without preamble, and data sets alone, are the slices that they were', async (t) => {
  const slices = stack(4)
  const [whole, explicit, implicit, headless] = slices.map((slice) => ctElements(slice)) as [
    DicomElement[],
    DicomElement[],
    DicomElement[],
    DicomElement[],
  ]
  const directory = writeFiles(t.testdir({}), {
    whole: encodeDicom(whole),
    explicit: Buffer.concat(explicit.map(encodeElement)),
    implicit: Buffer.concat(implicit.map(implicitElement)),
    headless: encodeDicom(headless).subarray(132),
    'notes.bin': Buffer.from([8, 0, 5, 0, 1, 2, 3, 4, 255, 255, 255, 255]),
  })
  using scan = openCase(directory)
  const values: number[] = []
  for (const index of slices.keys()) values.push((await scan.image(index)).data[0]!)
  t.same(
    values,
    [3, 2, 1, 0].map((number) => 1000 + number - 1024),
  )
  t.equal(scan.total, 4)
})
