import type { DataSet } from 'dicom-parser'
import { JcsError } from '../base/errors'
import type { Orientation } from '../volumes'
import { corrupt, type Elements, pixelDataTag } from './elements'
import { sopClassName } from './sop-classes'

/** What DICOM says of a file's images before their pixels are decoded. A plain value: it crosses threads. */
export interface DicomHeader {
  transferSyntaxUid: string
  sopClassUid: string
  modality: string
  /** UIDs as they stand in the file: real ones are not always valid, and nothing here depends on that. */
  instanceUid: string
  seriesUid: string
  studyUid: string
  seriesNumber?: number
  kernel?: string
  rows: number
  columns: number
  bitsAllocated: number
  bitsStored: number
  isSigned: boolean
  /** Stored values that stand for no measurement, from the first to the second. */
  padding?: [number, number]
  /** Whether frames are told by numbers (PS3.3, C.7.6.6): also of a file of one, if it says so. */
  isMultiFrame: boolean
  frames: FrameHeader[]
}

export interface FrameHeader {
  /** Such as ORIGINAL, PRIMARY, AXIAL. */
  imageType: string[]
  /** Centre of the first pixel in the patient's coordinates (x to the left, y to the back, z to the head), mm. */
  positionMm?: [number, number, number]
  /** Unit vectors along a row and down a column. */
  orientation?: Orientation
  /** Between rows, between columns, mm. */
  spacing?: [number, number]
  /** HU = slope × stored + intercept. */
  slope: number
  intercept: number
  /** Whether the file says slope and intercept. */
  isRescaled: boolean
  instanceNumber?: number
  /** What tells repeated positions apart, where the file says it: acquisition number, temporal position. */
  acquisition: string
}

/** More frames than any scan has: a header that claims them is wrong. */
const maxFrames = 65536

/**
 * Reads a header, and checks that what it describes can be decoded.
 *
 * @throws JcsError UNSUPPORTED_FORMAT for what is no gray-scale CT image, INPUT_TOO_LARGE, CORRUPT_FILE
 */
export function readHeader(
  { dataSet, transferSyntaxUid }: Elements,
  name: string,
  maxPixels: number,
): DicomHeader {
  const sopClassUid = text(dataSet, 'x00080016')
  const modality = text(dataSet, 'x00080060')
  requireCtImage(dataSet, sopClassUid, modality, name)

  const rows = requireNumber(dataSet.uint16('x00280010'), 'Rows', name)
  const columns = requireNumber(dataSet.uint16('x00280011'), 'Columns', name)
  if (rows * columns > maxPixels) {
    throw new JcsError(
      'INPUT_TOO_LARGE',
      `${name} claims ${columns} x ${rows} pixels; at most ${maxPixels} are accepted (option maxPixels)`,
    )
  }
  const samples = dataSet.uint16('x00280002') ?? 1
  const photometric = text(dataSet, 'x00280004') || 'MONOCHROME2'
  if (samples !== 1 || !photometric.startsWith('MONOCHROME')) {
    throw new JcsError(
      'UNSUPPORTED_FORMAT',
      `${name} is a ${photometric} image of ${samples} samples per pixel; CT in gray (MONOCHROME1, MONOCHROME2) is read`,
    )
  }
  const bitsAllocated = requireNumber(dataSet.uint16('x00280100'), 'BitsAllocated', name)
  const bitsStored = dataSet.uint16('x00280101') ?? bitsAllocated
  if (bitsAllocated !== 8 && bitsAllocated !== 16) {
    throw new JcsError(
      'UNSUPPORTED_FORMAT',
      `${name} allocates ${bitsAllocated} bits a pixel; 8 and 16 are read`,
    )
  }
  const highBit = dataSet.uint16('x00280102') ?? bitsStored - 1
  if (bitsStored < 1 || bitsStored > bitsAllocated || highBit !== bitsStored - 1)
    throw corrupt(name, `it stores ${bitsStored} of ${bitsAllocated} bits, the highest at ${highBit}`)
  if (dataSet.elements.x00283000?.items?.length) {
    throw new JcsError(
      'UNSUPPORTED_FORMAT',
      `${name} has a modality lookup table; CT with RescaleSlope and RescaleIntercept is read`,
    )
  }
  const isSigned = dataSet.uint16('x00280103') === 1
  const seriesNumber = dataSet.intString('x00200011')
  const kernel = text(dataSet, 'x00181210')
  const padding = readPadding(dataSet, isSigned)
  return {
    transferSyntaxUid,
    sopClassUid,
    modality,
    instanceUid: text(dataSet, 'x00080018'),
    seriesUid: text(dataSet, 'x0020000e'),
    studyUid: text(dataSet, 'x0020000d'),
    ...(isFiniteNumber(seriesNumber) && { seriesNumber }),
    ...(kernel && { kernel }),
    rows,
    columns,
    bitsAllocated,
    bitsStored,
    isSigned,
    ...(padding && { padding }),
    isMultiFrame: dataSet.elements.x00280008 !== undefined,
    frames: readFrames(dataSet, name),
  }
}

function requireCtImage(dataSet: DataSet, sopClassUid: string, modality: string, name: string): void {
  const kind = sopClassName(sopClassUid)
  const what = kind ? `${kind} (${modality || 'no modality'})` : `of modality ${modality || 'unknown'}`
  if (!dataSet.elements[pixelDataTag]) {
    throw new JcsError('UNSUPPORTED_FORMAT', `${name} holds no pixels: it is ${what}`)
  }
  if (modality !== 'CT') throw new JcsError('UNSUPPORTED_FORMAT', `${name} is ${what}; CT is read`)
}

/** The frames in the order of the file, each with the values that hold for it (PS3.3, C.7.6.16). */
function readFrames(dataSet: DataSet, name: string): FrameHeader[] {
  const count = dataSet.intString('x00280008') ?? 1
  if (!Number.isInteger(count) || count < 1 || count > maxFrames)
    throw corrupt(name, `it claims ${count} frames; 1 to ${maxFrames} are possible`)
  const perFrame = itemsOf(dataSet, 'x52009230')
  if (perFrame.length > 0 && perFrame.length !== count)
    throw corrupt(name, `it claims ${count} frames and describes ${perFrame.length}`)
  const common = [...itemsOf(dataSet, 'x52009229').flatMap(groupsOf), dataSet]
  if (perFrame.length > 0) return perFrame.map((item) => readFrame([...groupsOf(item), ...common], true))
  // Several frames without functional groups have one position between them: that of the first.
  return Array.from({ length: count }, () => readFrame(common, count === 1))
}

/** The functional groups of a frame or of all frames, each the one item of its sequence. */
function groupsOf(item: DataSet): DataSet[] {
  return Object.keys(item.elements).flatMap((tag) => itemsOf(item, tag).slice(0, 1))
}

/** `sources`: where a value may stand, the most particular first. */
function readFrame(sources: readonly DataSet[], isPlaced: boolean): FrameHeader {
  const first = <T>(read: (source: DataSet) => T | undefined): T | undefined => {
    for (const source of sources) {
      const value = read(source)
      if (value !== undefined) return value
    }
    return undefined
  }
  const positionMm = isPlaced ? first((source) => numbers(source, 'x00200032', 3)) : undefined
  const orientation = isPlaced ? first((source) => numbers(source, 'x00200037', 6)) : undefined
  const spacing = first((source) => numbers(source, 'x00280030', 2))
  const slope = first((source) => numbers(source, 'x00281053', 1))?.[0]
  const intercept = first((source) => numbers(source, 'x00281052', 1))?.[0]
  const instanceNumber = first((source) => source.intString('x00200013'))
  const imageType =
    first((source) => source.string('x00089007')) ?? first((source) => source.string('x00080008')) ?? ''
  const temporal = first((source) => source.uint32('x00209128')) ?? first((s) => s.intString('x00200100'))
  const acquired = first((source) => source.uint16('x00209156')) ?? first((s) => s.intString('x00200012'))
  return {
    imageType: imageType.split('\\').map((part) => part.trim().toUpperCase()),
    ...(positionMm && { positionMm: positionMm as [number, number, number] }),
    ...(isUsableOrientation(orientation) && { orientation }),
    ...(spacing?.every((mm) => mm > 0) && { spacing: spacing as [number, number] }),
    slope: slope ?? 1,
    intercept: intercept ?? 0,
    isRescaled: slope !== undefined && slope !== 0 && intercept !== undefined,
    ...(isFiniteNumber(instanceNumber) && { instanceNumber }),
    acquisition: [temporal, acquired].filter((part) => part !== undefined).join('/'),
  }
}

/** Two unit vectors at a right angle, as far as the digits of a file go. */
function isUsableOrientation(cosines: number[] | undefined): cosines is number[] & Orientation {
  if (!cosines) return false
  const [a, b, c, d, e, f] = cosines as unknown as Orientation
  const isUnit = (x: number, y: number, z: number) => Math.abs(Math.hypot(x, y, z) - 1) < 0.01
  return isUnit(a, b, c) && isUnit(d, e, f) && Math.abs(a * d + b * e + c * f) < 0.01
}

/** PixelPaddingValue, and PixelPaddingRangeLimit where there is one (PS3.3, C.7.5.1.1.2): signed as pixels are. */
function readPadding(dataSet: DataSet, isSigned: boolean): [number, number] | undefined {
  const read = (tag: string) => (isSigned ? dataSet.int16(tag) : dataSet.uint16(tag))
  const value = read('x00280120')
  if (value === undefined) return undefined
  const limit = read('x00280121') ?? value
  return [Math.min(value, limit), Math.max(value, limit)]
}

function itemsOf(dataSet: DataSet, tag: string): DataSet[] {
  return (dataSet.elements[tag]?.items ?? []).flatMap((item) => (item.dataSet ? [item.dataSet] : []))
}

function text(dataSet: DataSet, tag: string): string {
  return (dataSet.string(tag) ?? '').replaceAll('\0', '').trim()
}

/** The values of an element of numbers as text, if there are that many and all are finite. */
function numbers(dataSet: DataSet, tag: string, count: number): number[] | undefined {
  if (dataSet.numStringValues(tag) !== count) return undefined
  const values = Array.from({ length: count }, (_, index) => dataSet.floatString(tag, index))
  return values.every(isFiniteNumber) ? values : undefined
}

function isFiniteNumber(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value)
}

function requireNumber(value: number | undefined, what: string, name: string): number {
  if (value === undefined || value < 1) throw corrupt(name, `its ${what} are ${value ?? 'missing'}`)
  return value
}
