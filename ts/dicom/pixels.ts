import {
  createJPEGBasicOffsetTable,
  type DataSet,
  type Element,
  readEncapsulatedImageFrame,
  readEncapsulatedPixelDataFromFragments,
} from 'dicom-parser'
import { JcsError } from '../base/errors'
import { airHu, type Changes, Quantizer } from '../volumes'
import { codecs } from './codecs'
import { readCodestreamHeader } from './codestream'
import { corrupt, type Elements, pixelDataTag, reasonOf } from './elements'
import type { DicomHeader } from './header'
import type { TransferSyntax } from './transfer-syntaxes'

/** A frame in Hounsfield units, row by row. */
export interface HounsfieldFrame {
  data: Int16Array
  width: number
  height: number
  changes: Changes
}

/**
 * Decodes frame `index` of a file and applies its rescale slope and intercept (PS3.3, C.11.1). Padding becomes air.
 *
 * @throws JcsError CORRUPT_FILE, UNSUPPORTED_FORMAT
 */
export async function decodeFrame(
  { dataSet, transferSyntax }: Elements,
  header: DicomHeader,
  index: number,
  name: string,
): Promise<HounsfieldFrame> {
  const element = dataSet.elements[pixelDataTag]!
  const stored = transferSyntax.codec
    ? await decompress(dataSet, element, transferSyntax.codec, header, index, name)
    : readStored(dataSet, element, transferSyntax, header, index, name)
  return toHounsfield(stored, header, index)
}

function readStored(
  { byteArray }: DataSet,
  { dataOffset, length }: Element,
  { isBigEndian }: TransferSyntax,
  { rows, columns, bitsAllocated }: DicomHeader,
  index: number,
  name: string,
): Uint8Array {
  const frameBytes = rows * columns * (bitsAllocated / 8)
  const start = dataOffset + index * frameBytes
  const end = Math.min(dataOffset + length, byteArray.length)
  if (start + frameBytes > end) {
    throw corrupt(
      name,
      `its pixels end after ${Math.max(end - start, 0)} of the ${frameBytes} bytes of frame ${index + 1}`,
    )
  }
  const stored = new Uint8Array(frameBytes)
  stored.set(byteArray.subarray(start, start + frameBytes))
  if (isBigEndian && bitsAllocated === 16) Buffer.from(stored.buffer).swap16()
  return stored
}

async function decompress(
  dataSet: DataSet,
  element: Element,
  codec: NonNullable<TransferSyntax['codec']>,
  { rows, columns, bitsAllocated, frames }: DicomHeader,
  index: number,
  name: string,
): Promise<Uint8Array> {
  let stored: Uint8Array
  try {
    const bytes = readFragments(dataSet, element, index, frames.length)
    if (codec !== 'rle') requireSize(bytes, columns, rows)
    stored = await codecs[codec]({ bytes, width: columns, height: rows, bytesPerPixel: bitsAllocated / 8 })
  } catch (error) {
    throw error instanceof JcsError ? error : corrupt(name, reasonOf(error), error)
  }
  const expected = rows * columns * (bitsAllocated / 8)
  if (stored.length !== expected)
    throw corrupt(name, `it decodes to ${stored.length} bytes; ${expected} are needed`)
  return stored
}

/** So that no codec allocates memory for a lie. */
function requireSize(codestream: Uint8Array, columns: number, rows: number): void {
  const claimed = readCodestreamHeader(codestream)
  if (!claimed) throw new Error('its codestream has no header')
  if (claimed.width !== columns || claimed.height !== rows) {
    throw new Error(
      `its codestream has ${claimed.width} x ${claimed.height} pixels instead of ${columns} x ${rows}`,
    )
  }
}

/** The compressed bytes of a frame, wherever the file says that they begin (PS3.5, A.4). */
function readFragments(dataSet: DataSet, element: Element, index: number, frames: number): Uint8Array {
  const { fragments, basicOffsetTable } = element
  if (!fragments || fragments.length === 0) throw new Error('its compressed pixels have no fragments')
  const read = readEncapsulatedPixelDataFromFragments
  if (frames === 1) return asBytes(read(dataSet, element, 0, fragments.length))
  if (fragments.length === frames) return asBytes(read(dataSet, element, index, 1))
  if (fragments.length < frames) throw new Error(`it has ${fragments.length} fragments for ${frames} frames`)
  const offsets = basicOffsetTable?.length ? basicOffsetTable : createJPEGBasicOffsetTable(dataSet, element)
  if (offsets.length !== frames) throw new Error(`its offset table has ${offsets.length} of ${frames} frames`)
  return asBytes(readEncapsulatedImageFrame(dataSet, element, index, offsets))
}

function asBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}

function toHounsfield(stored: Uint8Array, header: DicomHeader, index: number): HounsfieldFrame {
  const { rows, columns, bitsAllocated, bitsStored, isSigned, padding } = header
  const { slope, intercept } = header.frames[index]!
  const words =
    bitsAllocated === 16 ? new Uint16Array(stored.buffer, stored.byteOffset, stored.length / 2) : stored
  const data = new Int16Array(words.length)
  const unused = 32 - bitsStored
  const quantizer = new Quantizer()
  for (let pixel = 0; pixel < data.length; pixel++) {
    // Bits above those stored may hold overlays; the sign is the highest bit that is stored.
    const shifted = words[pixel]! << unused
    const value = isSigned ? shifted >> unused : shifted >>> unused
    const hu = quantizer.quantize(value * slope + intercept)
    const isPadding = padding && value >= padding[0] && value <= padding[1]
    data[pixel] = isPadding ? Math.min(hu, airHu) : hu
  }
  const { rounded, saturated, notFinite } = quantizer
  return { data, width: columns, height: rows, changes: { rounded, saturated, notFinite } }
}
