import { version } from '../base/version'
import { explicitLittleEndian } from './transfer-syntaxes'
import { derivedUid } from './uids'

/** What is taken of dcmjs, which has no types of its own. */
interface Dcmjs {
  data: {
    DicomMetaDictionary: {
      /** Elements by tag, from values by keyword. */
      denaturalizeDataset(dataset: Record<string, unknown>): Record<string, unknown>
    }
    DicomDict: new (
      meta: Record<string, unknown>,
    ) => {
      dict: Record<string, unknown>
      write(options: { fragmentMultiframe: boolean; allowInvalidVRLength: boolean }): ArrayBuffer
    }
  }
}

/** Values by keyword; of sequences, items. Where the dictionary leaves a value representation open, `_vrMap` says it. */
export interface DicomDataset {
  SOPClassUID: string
  SOPInstanceUID: string
  [keyword: string]: unknown
}

/**
 * A DICOM file (PS3.10) in Explicit VR Little Endian, or in the transfer syntax of its compressed pixels: `PixelData` is
 * then an array of frames. Text is UTF-8.
 */
export function writeDicom(dataset: DicomDataset, transferSyntaxUid = explicitLittleEndian): Buffer {
  const { data } = require('dcmjs') as Dcmjs // takes a tenth of a second, which others need not wait
  const { DicomDict, DicomMetaDictionary } = data
  const file = new DicomDict(
    DicomMetaDictionary.denaturalizeDataset({
      _vrMap: { FileMetaInformationVersion: 'OB' },
      FileMetaInformationVersion: Uint8Array.of(0, 1).buffer,
      MediaStorageSOPClassUID: dataset.SOPClassUID,
      MediaStorageSOPInstanceUID: dataset.SOPInstanceUID,
      TransferSyntaxUID: transferSyntaxUid,
      ImplementationClassUID: derivedUid('jcs-ct'),
      ImplementationVersionName: `JCS-CT ${version}`.slice(0, 16),
    }),
  )
  file.dict = DicomMetaDictionary.denaturalizeDataset({ SpecificCharacterSet: 'ISO_IR 192', ...dataset })
  // A patient's ID that is longer than DICOM allows is handed on as it is: cut off it would be another one, and the error
  // would tell it.
  return Buffer.from(file.write({ fragmentMultiframe: false, allowInvalidVRLength: true }))
}

/** A decimal string has 16 characters at most (PS3.5, 6.2): as many digits as they hold. */
export function decimalString(value: number): string {
  for (let digits = 16; digits > 1; digits--) {
    const text = String(Number(value.toPrecision(digits)))
    if (text.length <= 16) return text
  }
  return value.toExponential(1)
}
