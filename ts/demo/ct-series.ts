import { join } from 'node:path'
import { makeDirectory, writeFileAtomically } from '../base/write-files'
import { decimalString, derivedUid, writeDicom } from '../dicom'
import type { PhantomCase } from '../phantom'

const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2'

/**
 * Writes a case as a scanner would leave it: a folder of DICOM files (PS3.3, CT Image), one a slice, by names that say
 * nothing about their order. Every UID follows from the case's seed.
 *
 * @param phantom with slices in Hounsfield units, from head to foot
 * @throws JcsError FILE_UNWRITABLE, DISK_FULL
 */
export async function writeCtSeries(directory: string, phantom: PhantomCase): Promise<void> {
  await makeDirectory(directory)
  const uid = (what: string) => derivedUid('phantom', `${phantom.seed}`, `${phantom.slices.length}`, what)
  for (const [index, { hounsfield, pixels }] of phantom.slices.entries()) {
    if (!hounsfield) throw new TypeError('the case was generated without Hounsfield units')
    const { width, height, spacing } = pixels
    const instance = uid(`slice ${index}`)
    const file = writeDicom({
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
        decimalString((-(width - 1) / 2) * spacing[1]),
        decimalString((-(height - 1) / 2) * spacing[0]),
        decimalString(-index * phantom.sliceSpacingMm),
      ],
      PixelSpacing: spacing.map(decimalString),
      SliceThickness: decimalString(phantom.sliceSpacingMm),
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
    await writeFileAtomically(join(directory, instance.slice(-8)), file)
  }
}
