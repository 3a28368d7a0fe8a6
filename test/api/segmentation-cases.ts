import { writeFileSync } from 'node:fs'
import type { Test } from 'tap'
import {
  type Case,
  type Diagnosis,
  type DicomSegmentationOptions,
  dicomSegmentation,
  type Images,
  openCase,
} from '../../ts'
import { type CtSlice, element, stack } from './dicom-files'
import { type ReadSegmentation, readSegmentation } from './segmentation-readers'
import { sharedData } from './shared-data'

export const frameOfReference = element('00200052', 'UI', '1.2.9')

/** What a pixel of a slice is, which its stored value says: lung in every second slice, lesion in every third. */
export type Pixel = 'lesion' | 'lung' | 'tissue'
const stored = { lesion: 1524, lung: 224, tissue: 1024 }
export const isOf = { lesions: (hu: number) => hu > 300, lungs: (hu: number) => hu < -500 || hu > 300 }

export function pixelOf(number: number, row: number, column: number): Pixel {
  if (number % 3 === 1 && (row * 5 + column * 3 + number) % 7 < 2) return 'lesion'
  return number % 2 === 1 && column % 4 !== 0 ? 'lung' : 'tissue'
}

/** Elements of a slice of such pixels. */
export function pixels(number: number, rows: number, columns: number, of = pixelOf) {
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

export const model = {
  role: 'segmenter',
  network: 'unet',
  sha256: 'ab'.repeat(32),
  window: { center: -600, width: 1500 },
}

/** A diagnosis that outlines what values say. */
export async function outline(opened: Case, what = isOf, withLungs = true): Promise<Diagnosis> {
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
  const decision = { positive: true, basis: 'lesion-area', minLesionAreaMm2: 5, sliceThreshold: 0 }
  const counts = { positiveSlices: slices.length, totalSlices: slices.length }
  const provenance = { models: [model], notices: [], warnings: [], version: '1' }
  return { ...decision, ...counts, slices, ...provenance } as unknown as Diagnosis
}

export async function write(
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
export function series(
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

type Point = readonly number[]
export const distance = (a: Point, b: Point) => Math.hypot(...a.map((value, i) => value - b[i]!))

type Write = (diagnosis: Diagnosis, opened: Case) => Promise<unknown>

/** A result of another case than the one that was diagnosed, or of pictures, is none. */
export async function refusesOtherCases(
  t: Test,
  write: Write,
  diagnosis: Diagnosis,
  opened: Case,
): Promise<void> {
  const fewer = { ...diagnosis, slices: diagnosis.slices.slice(1) }
  await t.rejects(write(fewer, opened), {
    code: 'INVALID_ARGUMENT',
    message: /not those that were diagnosed/,
  })
  using pictures = openCase([{ data: new Uint8Array(64 * 64), width: 64, height: 64 }])
  await t.rejects(write(await outline(pictures), pictures), {
    code: 'INVALID_ARGUMENT',
    message: /not a DICOM series/,
  })
}

/** covid-P002 was de-identified in a way that left no valid UID. */
export async function refusesAsFound(t: Test, write: Write): Promise<void> {
  using found = openCase(sharedData.path('dicom/covid-ct-md/covid-P002'))
  await t.rejects(write(await outline(found), found), {
    code: 'INVALID_ARGUMENT',
    message: /no valid UID/,
  })
}
