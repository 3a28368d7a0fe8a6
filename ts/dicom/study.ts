import type { DataSet } from 'dicom-parser'
import { JcsError } from '../base/errors'
import type { Elements } from './elements'
import { decodeText } from './text'

interface StudyElement {
  tag: string
  /** Of text whose delimiters are those of a name. */
  vr?: 'PN'
  /** What a value must look like to be handed on; other ones of real files help nobody, and are left empty. */
  pattern?: RegExp
}

const date = /^\d{8}$/
const time = /^\d{2,6}(\.\d{1,6})?$/

/**
 * What files a result with its source: of the modules Patient, General Study, General Series and Frame of Reference
 * (PS3.3, C.7.1.1, C.7.2.1, C.7.3.1, C.7.4.1), and what a derived image says again of how its source was acquired
 * and compressed. By keyword.
 */
const elements = {
  PatientName: { tag: 'x00100010', vr: 'PN' },
  PatientID: { tag: 'x00100020' },
  PatientBirthDate: { tag: 'x00100030', pattern: date },
  PatientSex: { tag: 'x00100040', pattern: /^[MFO]$/ },
  StudyInstanceUID: { tag: 'x0020000d' },
  StudyDate: { tag: 'x00080020', pattern: date },
  StudyTime: { tag: 'x00080030', pattern: time },
  AccessionNumber: { tag: 'x00080050' },
  ReferringPhysicianName: { tag: 'x00080090', vr: 'PN' },
  StudyID: { tag: 'x00200010' },
  StudyDescription: { tag: 'x00081030' },
  SeriesInstanceUID: { tag: 'x0020000e' },
  FrameOfReferenceUID: { tag: 'x00200052' },
  PositionReferenceIndicator: { tag: 'x00201040' },
  SliceThickness: { tag: 'x00180050', pattern: /^\d+(\.\d+)?$/ },
  LossyImageCompression: { tag: 'x00282110', pattern: /^0[01]$/ },
  LossyImageCompressionRatio: { tag: 'x00282112', pattern: /^[\d.\\ ]+$/ },
  LossyImageCompressionMethod: { tag: 'x00282114' },
} satisfies Record<string, StudyElement>

/**
 * Values by keyword, several with backslashes between them, empty where the file has none. Whom it is about is in it: it is
 * asked for, used and let go.
 */
export type SourceStudy = Record<keyof typeof elements, string>

/** @throws JcsError UNSUPPORTED_FORMAT for text that cannot be decoded: it would name somebody else */
export function readStudy({ dataSet }: Elements, name: string): SourceStudy {
  const characterSet = dataSet.string('x00080005') ?? ''
  const values = Object.entries<StudyElement>(elements).map(([keyword, { tag, vr = 'LO', pattern }]) => {
    const value = decodeText(bytesOf(dataSet, tag), characterSet.trim(), vr)
    if (value === undefined) {
      throw new JcsError(
        'UNSUPPORTED_FORMAT',
        `${name} has a ${keyword} that cannot be decoded in the character set ${JSON.stringify(characterSet)}`,
      )
    }
    return [keyword, pattern && !pattern.test(value) ? '' : value]
  })
  return Object.fromEntries(values)
}

/** Of one value; SliceThickness may lie in the functional groups that all frames share (PS3.3, C.7.6.16.2.1). */
function bytesOf(dataSet: DataSet, tag: string): Uint8Array {
  const element = dataSet.elements[tag]
  if (element) return dataSet.byteArray.subarray(element.dataOffset, element.dataOffset + element.length)
  const shared = dataSet.elements.x52009229?.items?.[0]?.dataSet?.elements.x00289110?.items?.[0]?.dataSet
  const inner = shared?.elements[tag]
  return inner
    ? shared.byteArray.subarray(inner.dataOffset, inner.dataOffset + inner.length)
    : new Uint8Array(0)
}
