import { readPart10Header } from 'dicom-parser'
import { JcsError } from '../base/errors'
import { corrupt, parseElements, pixelDataTag, reasonOf } from './elements'
import { isValidUid } from './uids'

/** What a file says of itself before its data set (PS3.10, 7.1); empty where it does not. */
export interface FileIdentity {
  sopClassUid: string
  sopInstanceUid: string
  transferSyntaxUid: string
}

/** `name`: what messages call the file. @throws JcsError CORRUPT_FILE */
export function readIdentity(bytes: Uint8Array, name: string): FileIdentity {
  try {
    const meta = readPart10Header(bytes)
    const uid = (tag: string) => meta.string(tag) ?? ''
    return {
      sopClassUid: uid('x00020002'),
      sopInstanceUid: uid('x00020003'),
      transferSyntaxUid: uid('x00020010'),
    }
  } catch (error) {
    throw corrupt(name, reasonOf(error), error)
  }
}

/** Where an instance belongs (PS3.4, C.6): to which series of which study. */
export interface InstanceReference {
  sopClassUid: string
  instanceUid: string
  seriesUid: string
  studyUid: string
}

/** Of a whole file. `name`: what messages call it. @throws JcsError CORRUPT_FILE, UNSUPPORTED_FORMAT */
export function readReference(bytes: Uint8Array, name: string): InstanceReference {
  const { dataSet } = parseElements(bytes, name, pixelDataTag)
  const uid = (tag: string) => {
    const value = dataSet.string(tag)?.trim() ?? ''
    if (isValidUid(value)) return value
    throw corrupt(name, `its element (${tag.slice(1, 5)},${tag.slice(5)}) is no valid UID`)
  }
  return {
    sopClassUid: uid('x00080016'),
    instanceUid: uid('x00080018'),
    seriesUid: uid('x0020000e'),
    studyUid: uid('x0020000d'),
  }
}

const instanceUidTag = 'x00080018'

/**
 * The SOPInstanceUID of the data set, which that of the file's meta information should be and in real files is not, from
 * as much of a file as holds it. Undefined where that is not enough.
 */
export function readInstanceUid(head: Uint8Array, name: string): string | undefined {
  try {
    return parseElements(head, name, instanceUidTag).dataSet.string(instanceUidTag)?.trim()
  } catch (error) {
    if (error instanceof JcsError) return undefined
    throw error
  }
}
