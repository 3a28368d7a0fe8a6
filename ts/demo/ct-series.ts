import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { makeDirectory, writeFileAtomically } from '../base/write-files'
import type { PhantomCase } from '../phantom'

const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2'
const explicitLittleEndian = '1.2.840.10008.1.2.1'

/**
 * Writes a case as a scanner would leave it: a folder of DICOM files (PS3.3, CT Image), one a slice, by names that say
 * nothing about their order. Every UID follows from the case's seed.
 *
 * @param phantom with slices in Hounsfield units, from head to foot
 * @throws JcsError FILE_UNWRITABLE, DISK_FULL
 */
export async function writeCtSeries(directory: string, phantom: PhantomCase): Promise<void> {
  const { data } = require('dcmjs') as typeof import('dcmjs') // takes a tenth of a second, which others need not wait
  const { DicomDict, DicomMetaDictionary } = data
  await makeDirectory(directory)
  const uid = (what: string) => uidOf(`${phantom.seed} ${phantom.slices.length} ${what}`)
  for (const [index, { hounsfield, pixels }] of phantom.slices.entries()) {
    if (!hounsfield) throw new TypeError('the case was generated without Hounsfield units')
    const { width, height, spacing } = pixels
    const instance = uid(`slice ${index}`)
    const file = new DicomDict(
      DicomMetaDictionary.denaturalizeDataset({
        MediaStorageSOPClassUID: ctImageStorage,
        MediaStorageSOPInstanceUID: instance,
        TransferSyntaxUID: explicitLittleEndian,
        ImplementationClassUID: uidOf('jcs-ct'),
        ImplementationVersionName: 'JCS-CT',
      }),
    )
    file.dict = DicomMetaDictionary.denaturalizeDataset({
      _vrMap: { PixelData: 'OW' },
      SOPClassUID: ctImageStorage,
      SOPInstanceUID: instance,
      StudyInstanceUID: uid('study'),
      SeriesInstanceUID: uid('series'),
      FrameOfReferenceUID: uid('frame of reference'),
      PatientName: 'Phantom^Synthetic',
      PatientID: `phantom-${phantom.seed}`,
      Modality: 'CT',
      ImageType: ['DERIVED', 'PRIMARY', 'AXIAL'],
      SeriesNumber: 1,
      InstanceNumber: index + 1,
      PatientPosition: 'HFS',
      ImageOrientationPatient: [1, 0, 0, 0, 1, 0],
      ImagePositionPatient: [
        decimal((-(width - 1) / 2) * spacing[1]),
        decimal((-(height - 1) / 2) * spacing[0]),
        decimal(-index * phantom.sliceSpacingMm),
      ],
      PixelSpacing: spacing.map(decimal),
      SliceThickness: decimal(phantom.sliceSpacingMm),
      Rows: height,
      Columns: width,
      SamplesPerPixel: 1,
      PhotometricInterpretation: 'MONOCHROME2',
      BitsAllocated: 16,
      BitsStored: 16,
      HighBit: 15,
      PixelRepresentation: 1,
      RescaleIntercept: 0,
      RescaleSlope: 1,
      RescaleType: 'HU',
      WindowCenter: -600,
      WindowWidth: 1500,
      PixelData: hounsfield.buffer,
    })
    await writeFileAtomically(join(directory, instance.slice(-8)), new Uint8Array(file.write()))
  }
}

/** A UID of the kind that needs no registered root (PS3.5, B.2): a UUID as a decimal number below 2.25. */
function uidOf(name: string): string {
  return `2.25.${BigInt(`0x${createHash('sha256').update(name).digest('hex').slice(0, 32)}`)}`
}

/** A decimal string has 16 characters at most (PS3.5, 6.2). */
function decimal(value: number): string {
  return String(Number(value.toFixed(6)))
}
