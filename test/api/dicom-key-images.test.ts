import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  type Case,
  type Diagnosis,
  type DicomKeyImagesOptions,
  dicomKeyImages,
  disclaimer,
  openCase,
} from '../../ts'
import { type CtSlice, ctElements, element, encodeDicom, filesOf, writeFiles } from './dicom-files'
import { type Box, lower, lungs, scan, size, upper } from './lung-scan'
import {
  frameOfReference,
  isOf,
  outline,
  pixels,
  refusesAsFound,
  refusesOtherCases,
  series,
} from './segmentation-cases'
import { dciodvfyMissing, dcmdump, errorsOfDciodvfy } from './segmentation-readers'
import { sharedData } from './shared-data'
import { repositoryRoot } from './small'

/** What pydicom and GDCM say of a key image: see test/readers/key_image_values.py. */
interface ReadKeyImage {
  [keyword: string]: unknown
  PatientName: string
  SOPInstanceUID: string
  SeriesInstanceUID: string
  shape: [number, number, number]
  spacing: [number, number]
  sources: [string, string, number | null][]
  /** RGB at a row and a column. */
  at(row: number, column: number): number[]
}

function read(path: string): ReadKeyImage {
  const script = join(repositoryRoot, 'test/readers/key_image_values.py')
  const text = execFileSync('/usr/bin/python3', [script, path, `${path}.raw`], { encoding: 'utf8' })
  const values = JSON.parse(text)
  const raw = readFileSync(`${path}.raw`)
  const [, width] = values.shape
  return {
    ...values,
    at: (row, column) => [...raw.subarray(3 * (row * width + column), 3 * (row * width + column) + 3)],
  }
}

async function write(
  diagnosis: Diagnosis,
  opened: Case,
  root: string,
  options?: DicomKeyImagesOptions,
): Promise<ReadKeyImage[]> {
  const files = await dicomKeyImages(diagnosis, opened, options)
  return files.map((bytes, index) => {
    const path = join(root, `key-${index}.dcm`)
    writeFileSync(path, bytes)
    return read(path)
  })
}

const ofChest = { lesions: (hu: number) => hu > -600 && hu < -300, lungs: (hu: number) => hu < -300 }

function chest(directory: string, change: CtSlice['change'] = []): Case {
  const slices = scan([...lungs, lower, upper]).map((slice) => ({
    ...slice,
    change: [...slice.change!, frameOfReference, ...change],
  }))
  return openCase(writeFiles(directory, filesOf(slices)))
}

const orange = [255, 140, 26]
const blue = [86, 180, 233]

t.test('lesions and lungs are burnt into the slices with most lesion, whatever reads them', async (t) => {
  const root = t.testdir()
  using opened = chest(join(root, 'case'))
  const diagnosis = await outline(opened, ofChest)
  const images = await write(diagnosis, opened, root, { count: 5 })
  // Of the lower lesion 100 pixels in slices 25 to 27, of the upper one 80 in 2 to 6.
  t.same(
    images.map(({ sources }) => sources),
    [2, 3, 25, 26, 27].map((number) => [['1.2.840.10008.5.1.4.1.1.2', `1.2.3.${number}`, null]]),
  )
  t.same(
    (await write(diagnosis, opened, root)).map(({ sources }) => sources[0]![1]),
    [25, 26, 27].map((number) => `1.2.3.${number}`),
    'three unless another number is given',
  )
  const [image] = images
  t.match(image, {
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.7',
    Modality: 'OT',
    StudyInstanceUID: '1.2',
    imageType: ['DERIVED', 'SECONDARY'],
    BurnedInAnnotation: 'YES',
    ConversionType: 'WSD',
    PhotometricInterpretation: 'RGB',
    LossyImageCompression: '00',
    type: 'uint8',
    orientation: ['L', 'P'],
    DerivationDescription:
      /^Slice 3 of 30, through the window -600\/1500 HU.*lesions in orange and lungs in blue.*burnt in/,
    ImageComments: disclaimer,
    gdcm: { size: image!.shape.slice(0, 2), photometric: 'RGB', isSame: true },
  })
  t.same(image!.spacing, [0.5 / 8, 0.75 / 8])
  t.ok(image!.shape[0] > 512 && image!.shape[1] === 512 && image!.shape[2] === 3)
  // Of a box, enlarged eight times: whether a point is in it, and on its outline.
  const place = ({ x, y }: Box, row: number, column: number) => {
    const inside = row >= 8 * y[0] && row < 8 * y[1] && column >= 8 * x[0] && column < 8 * x[1]
    const edges = [row - 8 * y[0], 8 * y[1] - 1 - row, column - 8 * x[0], 8 * x[1] - 1 - column]
    return { inside, onEdge: inside && edges.includes(0) }
  }
  let wrong = 0
  for (let row = 0; row < 8 * size; row++)
    for (let column = 0; column < 8 * size; column++) {
      const color = image!.at(row, column)
      const lesion = place(upper, row, column)
      const isEqual = (expected: number[]) => expected.every((value, i) => value === color[i])
      const isRight = lesion.onEdge
        ? isEqual(orange)
        : lesion.inside
          ? color[0]! > color[1]! && color[1]! > color[2]!
          : lungs.some((box) => place(box, row, column).onEdge)
            ? isEqual(blue)
            : color[0] === color[1] && color[1] === color[2]
      if (!isRight) wrong++
    }
  t.equal(wrong, 0, 'every pixel')
  // Lung of −850 HU is 255 × (−850 + 600 + 750) / 1500, the body of 0 HU 255 × (600 + 750) / 1500.
  t.same(image!.at(8 * 40, 8 * 20), [85, 85, 85])
  t.ok(image!.at(8 * 5, 8 * 32).every((value) => Math.abs(value - 229.5) <= 0.5))
})

t.test('the notice stands below the slice, in one strip for all', async (t) => {
  const root = t.testdir()
  using opened = chest(join(root, 'case'))
  const images = await write(await outline(opened, ofChest), opened, root, { count: 4 })
  const strips = images.map((image) => {
    const points: string[] = []
    for (let row = 512; row < image.shape[0]; row++)
      for (let column = 0; column < 512; column++) points.push(image.at(row, column)[0]! > 128 ? '#' : ' ')
    return points.join('')
  })
  t.equal(new Set(strips).size, 1)
  // Ten letters a line at least: 'jcs-ct overlay, research use, not a medical device' has some 600 points of four pixels.
  const ink = strips[0]!.replaceAll(' ', '').length
  t.ok(ink > 4 * 400 && ink < 4 * 800, `${ink}`)
  t.notMatch(strips[0]!.slice(0, 512 * 6), /#/, 'a margin')
})

t.test('dciodvfy has nothing against any shape, and DCMTK reads it', { skip: dciodvfyMissing }, async (t) => {
  const root = t.testdir()
  const tilted = [1, 0, 0, 0, Math.cos(0.3), -Math.sin(0.3)]
  const shapes: [string, CtSlice[], [number, number], string[]][] = [
    ['plain', series(4, {}), [384, 512], ['L', 'P']],
    ['odd', series(4, { rows: 33, columns: 31 }), [528, 496], ['L', 'P']],
    ['one column', series(4, { rows: 7, columns: 1 }), [518, 128], ['L', 'P']],
    ['large', series(2, { rows: 601, columns: 3 }), [601, 128], ['L', 'P']],
    ['oblique', series(2, {}, () => ({ orientation: tilted })), [384, 512], ['L', 'PF']],
    ['from the back', series(2, {}, () => ({ orientation: [-1, 0, 0, 0, -1, 0] })), [384, 512], ['R', 'A']],
  ]
  for (const [name, slices, [height, width], orientation] of shapes) {
    using opened = openCase(writeFiles(join(root, name), filesOf(slices)))
    const images = await write(await outline(opened, isOf, name !== 'odd'), opened, root)
    t.ok(images.length > 0, name)
    for (const [index, image] of images.entries()) {
      const path = join(root, `key-${index}.dcm`)
      t.same(errorsOfDciodvfy(path), ['SCImage'], name)
      t.match(dcmdump(path), /\(0028,0301\) CS \[YES\]/)
      t.ok(image.shape[0] > height && image.shape[1] === width, `${name}: ${image.shape}`)
      t.same(image.orientation, orientation)
      t.match(image.gdcm, { isSame: true })
    }
  }
})

t.test('frames of a file of several are told by their numbers', async (t) => {
  const root = t.testdir()
  const frames = 5
  const parts = Array.from({ length: frames }, (_, n) => pixels(n, 6, 8).at(-1)!.value as Uint8Array)
  const position = (n: number) => [element('00209113', 'SQ', [[element('00200032', 'DS', `0\\0\\${2 * n}`)]])]
  const enhanced = '1.2.840.10008.5.1.4.1.1.2.1'
  const change = [
    frameOfReference,
    element('00080016', 'UI', enhanced),
    element('00280008', 'IS', `${frames}`),
    element('00280010', 'US', [6]),
    element('00280011', 'US', [8]),
    element('7FE00010', 'OW', Buffer.concat(parts)),
    element(
      '52009230',
      'SQ',
      parts.map((_, n) => position(n)),
    ),
  ]
  const elements = ctElements({ number: 0, position: [0, 0, 0], change }).filter(
    ({ tag }) => tag !== '00200032',
  )
  writeFileSync(join(root, 'many.dcm'), encodeDicom(elements))
  using opened = openCase(join(root, 'many.dcm'))
  const images = await write(await outline(opened), opened, root)
  // Lesion is in every third, and slice 0 is the last frame.
  t.same(
    images.map(({ sources }) => sources),
    [5, 2].map((frame) => [[enhanced, '1.2.3.0', frame]]),
  )
  t.match(images[0]!.DerivationDescription, /^Slice 1 of 5, frame 5 of its file/)
})

t.test('UIDs follow from what is shown, names are in any characters', async (t) => {
  const root = t.testdir()
  const name = [element('00080005', 'CS', 'ISO_IR 192'), element('00100010', 'PN', Buffer.from('Wáng^小东'))]
  using opened = chest(join(root, 'case'), name)
  const diagnosis = await outline(opened, ofChest)
  const uids = (images: ReadKeyImage[]) => images.map(({ SOPInstanceUID }) => SOPInstanceUID)
  const first = await write(diagnosis, opened, root)
  const again = await write(diagnosis, opened, root)
  t.same(uids(again), uids(first))
  t.equal(new Set(uids(first)).size, 3)
  t.equal(new Set(first.map(({ SeriesInstanceUID }) => SeriesInstanceUID)).size, 1)
  for (const { PatientName } of first) t.equal(PatientName.replace(/=*$/, ''), 'Wáng^小东')
  const withoutLungs = await write(await outline(opened, ofChest, false), opened, root)
  t.equal(new Set([...uids(first), ...uids(withoutLungs)]).size, 6)
  t.notMatch(withoutLungs[0]!.DerivationDescription, /lungs/)
})

t.test('only lesions inside the lungs count, and without one there is no image', async (t) => {
  const root = t.testdir()
  using opened = chest(join(root, 'case'))
  const outside = await outline(opened, { ...ofChest, lesions: (hu) => hu > -100 })
  t.same(await dicomKeyImages(outside, opened), [])
  const none = await outline(opened, { ...ofChest, lesions: () => false })
  t.same(await dicomKeyImages(none, opened), [])
  const negative = { ...none, slices: none.slices.map(() => ({})) } as unknown as Diagnosis
  t.same(await dicomKeyImages(negative, opened), [])
  const alone = await outline(opened, { ...ofChest, lesions: (hu) => hu > -100 }, false)
  t.equal((await dicomKeyImages(alone, opened, { count: 2 })).length, 2)
})

t.test('what cannot be filed, or is not of the case, is refused', async (t) => {
  const root = t.testdir()
  using opened = chest(join(root, 'case'))
  const diagnosis = await outline(opened, ofChest)
  const rejects = (options: object, code: string, message: RegExp, of = diagnosis) =>
    t.rejects(dicomKeyImages(of, opened, options), { code, message })
  await rejects({ count: 0 }, 'INVALID_ARGUMENT', /count/)
  await rejects({ count: '3' }, 'INVALID_TYPE', /count/)
  await rejects({ window: 'lung' }, 'INVALID_ARGUMENT', /has no option 'window'/)
  await refusesOtherCases(t, dicomKeyImages, diagnosis, opened)
})

t.test('a real case', { skip: sharedData.missing }, async (t) => {
  const root = t.testdir()
  await refusesAsFound(t, dicomKeyImages)
  using opened = openCase(sharedData.path('dicom/covid-ct-md/normal-001'))
  const diagnosis = await outline(opened, isOf, false)
  const images = await write(diagnosis, opened, root, { count: 1 })
  t.match(images, [{ gdcm: { isSame: true }, BurnedInAnnotation: 'YES' }])
  const areas = diagnosis.slices.map(({ segmentation }) => segmentation!.mask.reduce((sum, v) => sum + v, 0))
  const most = areas.indexOf(Math.max(...areas))
  t.match(images[0]!.DerivationDescription, new RegExp(`^Slice ${most + 1} of ${areas.length},`))
  if (!dciodvfyMissing) t.same(errorsOfDciodvfy(join(root, 'key-0.dcm')), ['SCImage'])
})
