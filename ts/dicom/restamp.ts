import { createHash } from 'node:crypto'
import type { Element } from 'dicom-parser'
import { JcsError } from '../base/errors'
// Not from the room's index, which starts the threads that this runs in.
import { type FileSource, readBytes } from '../threads/file-source'
import { corrupt, type Elements, parseElements, pixelDataTag } from './elements'
import { derivedUid } from './uids'

export interface DicomRestampTask {
  source: FileSource
  name: string
  /** Told apart from others of the same bytes. */
  index: number
  studyUid: string
  seriesUid: string
  frameOfReferenceUid: string
}

/** A file whose bytes may be handed over. */
export interface RestampedFile {
  data: Uint8Array<ArrayBuffer>
}

/**
 * A DICOM file with other UIDs of study, series, frame of reference and instance, and new meta information; every other
 * byte of its data set is as it was.
 *
 * @throws JcsError UNSUPPORTED_FORMAT for big endian and deflated files, CORRUPT_FILE, and what reading a file gives
 */
export async function restampDicom(task: DicomRestampTask): Promise<RestampedFile> {
  const { source, name, index, studyUid, seriesUid, frameOfReferenceUid } = task
  const bytes = await readBytes(source)
  const elements = parseElements(bytes, name, pixelDataTag)
  const { isBigEndian, isDeflated, isImplicit = false } = elements.transferSyntax
  if (isBigEndian || isDeflated) {
    throw new JcsError(
      'UNSUPPORTED_FORMAT',
      `${name} is ${elements.transferSyntax.name}, which is not written; convert it, for example with gdcmconv --raw`,
    )
  }
  const digest = createHash('sha256').update(bytes).digest('hex')
  const instanceUid = derivedUid('restamped instance', seriesUid, digest, `${index}`)
  const body = replaced(elements, name, isImplicit, {
    x00080018: instanceUid,
    x0020000d: studyUid,
    x0020000e: seriesUid,
    x00200052: frameOfReferenceUid,
  })
  const meta = metaInformation(
    elements.dataSet.string('x00080016') ?? '',
    instanceUid,
    elements.transferSyntaxUid,
  )
  return { data: Uint8Array.from(Buffer.concat([...meta, ...body])) }
}

/** The data set in pieces: what is between the elements that are replaced, which are put in where they are missing. */
function replaced(
  { dataSet }: Elements,
  name: string,
  isImplicit: boolean,
  uids: Record<string, string>,
): Uint8Array[] {
  const { byteArray } = dataSet
  const present = Object.values(dataSet.elements).sort((a, b) => a.dataOffset - b.dataOffset)
  const startOf = (element: Element) => element.dataOffset - headerLength(element, isImplicit)
  const [first] = present
  if (!first) throw corrupt(name, 'it is empty')
  const pieces: Uint8Array[] = []
  let at = startOf(first)
  for (const [tag, uid] of Object.entries(uids)) {
    const element = dataSet.elements[tag]
    if (element?.hadUndefinedLength) throw corrupt(name, 'a UID has no length')
    const next = present.find((other) => other.tag > tag)
    const begin = element ? startOf(element) : next ? startOf(next) : byteArray.length
    if (begin < at) throw corrupt(name, 'its elements are not in order')
    pieces.push(byteArray.subarray(at, begin), uidElement(tag, uid, isImplicit))
    at = element ? element.dataOffset + element.length : begin
  }
  return [...pieces, byteArray.subarray(at)]
}

/** Value representations with a length of 32 bits (PS3.5, 7.1.2). */
const longLengths = ['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV']

function headerLength({ vr = '' }: Element, isImplicit: boolean): number {
  return !isImplicit && longLengths.includes(vr) ? 12 : 8
}

function uidElement(tag: string, uid: string, isImplicit: boolean): Buffer {
  const value = Buffer.from(uid.length % 2 === 0 ? uid : `${uid}\0`, 'latin1')
  const header = Buffer.alloc(8)
  header.writeUInt16LE(Number.parseInt(tag.slice(1, 5), 16), 0)
  header.writeUInt16LE(Number.parseInt(tag.slice(5), 16), 2)
  if (isImplicit) header.writeUInt32LE(value.length, 4)
  else {
    header.write('UI', 4, 'latin1')
    header.writeUInt16LE(value.length, 6)
  }
  return Buffer.concat([header, value])
}

/** Preamble, prefix and group 0002 (PS3.10, 7.1). */
function metaInformation(sopClassUid: string, instanceUid: string, transferSyntaxUid: string): Buffer[] {
  const group = Buffer.concat([
    Buffer.from('020001004f420000020000000001', 'hex'),
    uidElement('x00020002', sopClassUid, false),
    uidElement('x00020003', instanceUid, false),
    uidElement('x00020010', transferSyntaxUid, false),
    uidElement('x00020012', derivedUid('jcs-ct'), false),
  ])
  const length = Buffer.from('02000000554c040000000000', 'hex')
  length.writeUInt32LE(group.length, 8)
  return [Buffer.alloc(128), Buffer.from('DICM'), length, group]
}
