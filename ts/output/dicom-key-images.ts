import { createHash } from 'node:crypto'
import { checkOptions, requireWhole } from '../base/check'
import { disclaimer } from '../base/disclaimer'
import type { Case } from '../cases'
import { decimalString, writeDicom } from '../dicom'
import { keyPicture, keyPictureNotice } from '../report/key-picture'
import type { Diagnosis } from '../run/results'
import { sourceImage } from './dicom/functional-groups'
import { type KeySlice, keySlicesOf } from './dicom/key-slices'
import { contentTime, equipment, lossyCompressionOf, patientAndStudyOf } from './dicom/modules'
import { patientOrientation } from './dicom/patient-orientation'
import { type ResultUid, resultUidsOf } from './dicom/result-uids'
import { type ReferencedSlice, type SourceSeries, sourceSeriesOf } from './dicom/source-series'
import { requireDiagnosed } from './masks'

/** Which slices become key images. */
export interface DicomKeyImagesOptions {
  /** As many at most. Default 3. */
  count?: number | undefined
}

/**
 * The slices with most lesion, inside the lungs where those are known, as DICOM Secondary Capture images (PS3.3, A.8.1) for
 * any viewer: RGB of 8 bits through the lung window, −600/1500 HU, at least 512 pixels along the longer side, lesions and
 * lungs burnt in, in the colours of the segmentation, and below them a notice that they are. Each refers to the instance,
 * and of files of several frames to the frame, that it was made of. In the order of the case, head first; none where no
 * lesion was found.
 *
 * Patient, study and UIDs are as in `dicomSegmentation`: of the source, and the same for the same run.
 *
 * @param scan the case that was diagnosed, of DICOM
 * @throws JcsError INVALID_TYPE; INVALID_ARGUMENT for a count below 1, a case that is not a DICOM series with valid UIDs
 * (PS3.5, 9.1), positions and pixel spacing, and for the diagnosis of another case; UNSUPPORTED_FORMAT for a name in
 * unknown characters; DISPOSED
 */
export async function dicomKeyImages(
  diagnosis: Diagnosis,
  scan: Case,
  options: DicomKeyImagesOptions = {},
): Promise<Buffer[]> {
  checkOptions('options', options, ['count'])
  const { count = 3 } = options
  requireWhole('count', count, 1)
  const source = await sourceSeriesOf(scan)
  requireDiagnosed(diagnosis, source.slices)
  const uid = resultUidsOf(diagnosis, source.study)
  const files: Buffer[] = []
  for (const slice of keySlicesOf(diagnosis, count))
    files.push(await keyImage(slice, files.length + 1, { diagnosis, scan, source, uid }))
  return files
}

interface Context {
  diagnosis: Diagnosis
  scan: Case
  source: SourceSeries
  uid: ResultUid
}

const secondaryCaptureStorage = '1.2.840.10008.5.1.4.1.1.7'

async function keyImage(key: KeySlice, number: number, context: Context): Promise<Buffer> {
  const { diagnosis, scan, source, uid } = context
  const { study } = source
  const slice = source.slices[key.index]!
  const { width, height } = slice
  const mask = (data: Uint8Array) => ({ data, width, height })
  const picture = await keyPicture(await scan.image(key.index), {
    lesions: mask(key.lesions),
    lungs: key.lungs && mask(key.lungs),
  })
  return writeDicom({
    SOPClassUID: secondaryCaptureStorage,
    SOPInstanceUID: uid('key image', slice.instanceUid, `${slice.frameNumber ?? ''}`, digestOf(key)),
    ...patientAndStudyOf(study),
    Modality: 'OT',
    BodyPartExamined: 'CHEST',
    SeriesInstanceUID: uid('key image series'),
    SeriesNumber: 3000 + (scan.series?.seriesNumber ?? 0),
    SeriesDescription: 'Key images; research use, not a medical device',
    ...equipment,
    ConversionType: 'WSD',
    InstanceNumber: number,
    ...contentTime(),
    ImageType: ['DERIVED', 'SECONDARY'],
    PatientOrientation: patientOrientation(slice.orientation),
    ...lossyCompressionOf(study),
    BurnedInAnnotation: 'YES',
    DerivationDescription: describe(slice, key, source.slices.length),
    SourceImageSequence: [sourceImage(slice)],
    ImageComments: [`${keyPictureNotice}.`, ...diagnosis.notices, `${disclaimer}.`].join(' '),
    SamplesPerPixel: 3,
    PhotometricInterpretation: 'RGB',
    PlanarConfiguration: 0,
    Rows: picture.height,
    Columns: picture.width,
    PixelSpacing: slice.spacing.map((distance) => decimalString(distance / picture.zoom)),
    BitsAllocated: 8,
    BitsStored: 8,
    HighBit: 7,
    PixelRepresentation: 0,
    _vrMap: { PixelData: 'OB' },
    PixelData: evenLength(picture.data),
  })
}

function describe(
  { orientation: _, ...slice }: ReferencedSlice,
  { index, lungs }: KeySlice,
  of: number,
): string {
  const frame = slice.frameNumber === undefined ? '' : `, frame ${slice.frameNumber} of its file`
  const outlines = lungs ? 'lesions in orange and lungs in blue' : 'lesions in orange'
  return `Slice ${index + 1} of ${of}${frame}, through the window -600/1500 HU, enlarged, with ${outlines} and a notice burnt in by jcs-ct`
}

/** Not of the picture, whose last bits are another machine's own. */
function digestOf({ lesions, lungs }: KeySlice): string {
  const sum = createHash('sha256').update(lesions)
  if (lungs) sum.update(lungs)
  return sum.digest('hex')
}

function evenLength(data: Uint8Array): ArrayBuffer {
  const even = new Uint8Array(data.length + (data.length % 2))
  even.set(data)
  return even.buffer
}
