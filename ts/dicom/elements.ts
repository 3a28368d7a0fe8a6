import { inflateRawSync } from 'node:zlib'
import {
  type ByteArrayParser,
  ByteStream,
  bigEndianByteArrayParser,
  type DataSet,
  littleEndianByteArrayParser,
  parseDicomDataSetExplicit,
  parseDicomDataSetImplicit,
  readPart10Header,
} from 'dicom-parser'
import { JcsError } from '../base/errors'
import { type BareDataSet, bareDataSet, hasPrefix, lacksPreamble, withPreamble } from './part10'
import { findTransferSyntax, type TransferSyntax } from './transfer-syntaxes'

export const pixelDataTag = 'x7fe00010'

/** A deflated data set may not inflate to more. */
const maxInflatedBytes = 2 ** 29

/** Of the class behind the type, which dicom-parser's types leave out. */
function emptyDataSet(numbers: ByteArrayParser, bytes: Uint8Array): DataSet {
  const { DataSet } = require('dicom-parser') as {
    DataSet: new (numbers: ByteArrayParser, bytes: Uint8Array, elements: object) => DataSet
  }
  return new DataSet(numbers, bytes, {})
}

export interface Elements {
  dataSet: DataSet
  transferSyntaxUid: string
  transferSyntax: TransferSyntax
}

/**
 * The elements of a DICOM file (PS3.10): of all of it, or up to the one with the tag `until`, which is there without its
 * fragments, such as `pixelDataTag`. `name` is what messages call the file.
 *
 * @throws JcsError UNSUPPORTED_FORMAT for an unknown transfer syntax, INPUT_TOO_LARGE, CORRUPT_FILE
 */
export function parseElements(bytes: Uint8Array, name: string, until?: string): Elements {
  try {
    const bare = hasPrefix(bytes) ? undefined : bareDataSet(bytes)
    if (bare) return parseBareDataSet(bytes, bare, name, until)
    if (lacksPreamble(bytes)) return parseElements(withPreamble(bytes), name, until)
    const meta = readPart10Header(bytes)
    const transferSyntaxUid = meta.string('x00020010')
    if (transferSyntaxUid === undefined) throw corrupt(name, 'it names no transfer syntax')
    const transferSyntax = findTransferSyntax(transferSyntaxUid)
    if (!transferSyntax) {
      throw new JcsError(
        'UNSUPPORTED_FORMAT',
        `${name} has the transfer syntax ${JSON.stringify(transferSyntaxUid)}, which is not read; convert it, for example with gdcmconv --raw`,
      )
    }
    const dataSet = parseDataSet(bytes, positionAfter(meta), transferSyntax, name, until)
    return { dataSet, transferSyntaxUid, transferSyntax }
  } catch (error) {
    throw error instanceof JcsError ? error : corrupt(name, reasonOf(error), error)
  }
}

/** Without meta information there is no name of the transfer syntax: it is that of the networks, or explicit. */
function parseBareDataSet(
  bytes: Uint8Array,
  { isImplicit }: BareDataSet,
  name: string,
  until: string | undefined,
): Elements {
  const transferSyntaxUid = isImplicit ? '1.2.840.10008.1.2' : '1.2.840.10008.1.2.1'
  const transferSyntax = findTransferSyntax(transferSyntaxUid)!
  return {
    dataSet: parseDataSet(bytes, 0, transferSyntax, name, until),
    transferSyntaxUid,
    transferSyntax,
  }
}

/** The data set begins where the file's meta information ends; dicom-parser's types do not show that it says so. */
function positionAfter(meta: DataSet): number {
  return (meta as DataSet & { position: number }).position
}

function parseDataSet(
  bytes: Uint8Array,
  start: number,
  { isImplicit, isBigEndian, isDeflated }: TransferSyntax,
  name: string,
  until: string | undefined,
): DataSet {
  const plain = isDeflated ? inflate(bytes.subarray(start), name) : bytes
  const numbers = isBigEndian ? bigEndianByteArrayParser : littleEndianByteArrayParser
  const stream = new ByteStream(numbers, plain, isDeflated ? 0 : start)
  readLongLengths(stream)
  const dataSet = emptyDataSet(numbers, plain)
  dataSet.warnings = [] // where dicom-parser notes what it could pass over
  const options = until === undefined ? undefined : { untilTag: until }
  if (isImplicit) parseDicomDataSetImplicit(dataSet, stream, plain.length, options)
  else parseDicomDataSetExplicit(dataSet, stream, plain.length, options)
  return dataSet
}

/**
 * The value representations OV, SV and UV came later than dicom-parser: their lengths have 32 bits as those of OB have
 * (PS3.5, 7.1.2), so it is told that they are OB. None of them is looked at.
 */
function readLongLengths(stream: ByteStream): void {
  const readFixedString = stream.readFixedString
  stream.readFixedString = function (this: ByteStream, length: number): string {
    const text = readFixedString.call(this, length)
    return length === 2 && (text === 'OV' || text === 'SV' || text === 'UV') ? 'OB' : text
  }
}

function inflate(deflated: Uint8Array, name: string): Uint8Array {
  try {
    return inflateRawSync(deflated, { maxOutputLength: maxInflatedBytes })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new JcsError('INPUT_TOO_LARGE', `${name} inflates to more than ${maxInflatedBytes} bytes`)
    }
    throw corrupt(name, reasonOf(error), error)
  }
}

/** Libraries for DICOM throw strings, numbers, Errors and objects with an `exception`. */
export function reasonOf(error: unknown): string {
  if (error instanceof RangeError && /call stack/.test(error.message))
    return 'its sequences are nested too deeply'
  const { exception, message } = Object(error) as { exception?: unknown; message?: unknown }
  const reason = String(exception ?? message ?? error)
  return reason.replace(/^dicomParser[.:]\w*:? */, '')
}

export function corrupt(name: string, reason: string, cause?: unknown): JcsError {
  return new JcsError('CORRUPT_FILE', `${name} cannot be decoded: ${reason}`, { cause })
}
