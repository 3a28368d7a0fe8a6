import * as dicomParser from 'dicom-parser'
import { corrupt, reasonOf } from './elements'

/** What a file says of itself before its data set (PS3.10, 7.1); empty where it does not. */
export interface FileIdentity {
  sopClassUid: string
  sopInstanceUid: string
  transferSyntaxUid: string
}

/** `name`: what messages call the file. @throws JcsError CORRUPT_FILE */
export function readIdentity(bytes: Uint8Array, name: string): FileIdentity {
  try {
    const meta = dicomParser.readPart10Header(bytes)
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
