import { checkOptions, requireBoolean, requireOneOf } from '../base/check'
import { disclaimer } from '../base/disclaimer'
import { JcsError } from '../base/errors'
import type { Case } from '../cases'
import { rleLossless, writeDicom } from '../dicom'
import type { Diagnosis } from '../run/results'
import { dimensionsOf, functionalGroupsOf, referencedSeriesOf } from './dicom/functional-groups'
import {
  contentTime,
  equipment,
  frameOfReferenceOf,
  lossyCompressionOf,
  patientAndStudyOf,
} from './dicom/modules'
import { resultUidsOf } from './dicom/result-uids'
import { describeSegments } from './dicom/segment-description'
import {
  compressFrames,
  drawLabels,
  type FrameSettings,
  joinFrames,
  labelBytes,
  packBits,
  type SegmentationFrame,
} from './dicom/segmentation-pixels'
import { planSegmentation, type SegmentationSettings } from './dicom/segmentation-plan'
import { sourceSeriesOf } from './dicom/source-series'

const types = ['binary', 'labelmap'] as const
const compressions = ['none', 'rle'] as const

/** How a diagnosis becomes a DICOM Segmentation. */
export interface DicomSegmentationOptions {
  /**
   * 'binary' (default), one bit a pixel and frames of one segment each, is what viewers read. 'labelmap' (Label Map
   * Segmentation, new in DICOM 2024c) holds the number of a segment per pixel, 8 bits or, of more than 255 segments, 16;
   * a pixel is of one segment there, so lesions are taken out of the lungs.
   */
  type?: (typeof types)[number] | undefined
  /**
   * 'rle', RLE Lossless, is for label maps. Default 'none'. Of single bits DICOM allows it only since its correction 2301,
   * and readers such as DCMTK do not decode it.
   */
  compression?: (typeof compressions)[number] | undefined
  /**
   * One segment for each lesion across slices instead of one for all. With a lung model these are the lesions of
   * `involvement.lesions` in the same order, inside the lungs; without one, what hangs together, the largest first.
   * Default false.
   */
  perLesion?: boolean | undefined
  /** Frames without a pixel as well. Default false. */
  emptyFrames?: boolean | undefined
}

/**
 * A diagnosed case as a DICOM Segmentation (PS3.3, A.51) in the source's study and frame of reference: lungs, where they
 * were outlined, and lesions, each a segment with its SNOMED CT codes. What has no pixel is no segment. Frames lie where
 * the source's do, and each refers to the instance, and of files of several frames to the frame, that it is of.
 *
 * Patient and study are read again from the case's first file, and are in the result as in its source: of all that this
 * library gives, only DICOM names the patient. UIDs follow from the source series, what is outlined, the models' hashes
 * and the version of this library: the same run gives the same.
 *
 * @param scan the case that was diagnosed, of DICOM
 * @throws JcsError INVALID_TYPE; INVALID_ARGUMENT for a case that is not a DICOM series with valid UIDs (PS3.5, 9.1),
 * positions and pixel spacing, when the diagnosis outlined nothing or is of another case, when no pixel was outlined, and
 * for RLE of single bits; UNSUPPORTED_FORMAT for a name in unknown characters; INPUT_TOO_LARGE beyond 4 GiB; DISPOSED
 */
export async function dicomSegmentation(
  diagnosis: Diagnosis,
  scan: Case,
  options: DicomSegmentationOptions = {},
): Promise<Buffer> {
  const settings = takeOptions(options)
  const { isLabelMap, isCompressed } = settings
  const source = await sourceSeriesOf(scan)
  const { study } = source
  const { segments, frames, frameSettings, sopClassUid, instanceUid, seriesUid } = planSegmentation(
    diagnosis,
    source,
    settings,
  )
  if (segments.length === 0) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      'no pixel was outlined: there is no lesion, nor lung, and a DICOM Segmentation without frames is not legal',
    )
  }

  const uid = resultUidsOf(diagnosis, study)
  const bytesPerLabel = labelBytes(segments.length)
  const dataset = {
    SOPClassUID: sopClassUid,
    SOPInstanceUID: instanceUid,
    ...patientAndStudyOf(study),
    ...frameOfReferenceOf(study),
    Modality: 'SEG',
    SeriesInstanceUID: seriesUid,
    SeriesNumber: 1000 + (scan.series?.seriesNumber ?? 0),
    SeriesDescription: 'Segmentation; research use, not a medical device',
    ...equipment,
    InstanceNumber: 1,
    ...contentTime(),
    ImageType: ['DERIVED', 'PRIMARY'],
    ImageComments: [...diagnosis.notices, `${disclaimer}.`].join(' '),
    ...lossyCompressionOf(study),
    BurnedInAnnotation: 'NO',
    ContentLabel: 'RESEARCH_USE',
    ContentDescription: 'Research use, not a medical device',
    ContentCreatorName: '',
    SegmentationType: isLabelMap ? 'LABELMAP' : 'BINARY',
    // Lesions lie in the lungs.
    SegmentsOverlap: isLabelMap || new Set(segments.map(({ kind }) => kind)).size === 1 ? 'NO' : 'YES',
    SegmentSequence: describeSegments(segments, diagnosis.models, instanceUid),
    ...dimensionsOf(isLabelMap, uid('dimensions', instanceUid)),
    ...functionalGroupsOf(frames, source, scan.series),
    ...referencedSeriesOf(source),
    NumberOfFrames: frames.length,
    Rows: frameSettings.height,
    Columns: frameSettings.width,
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    PixelRepresentation: 0,
    ...(isLabelMap
      ? labelPixels(frames, frameSettings, bytesPerLabel, isCompressed)
      : {
          _vrMap: { PixelData: 'OB' },
          ...bitDepth(1),
          PixelData: packBits(frames, frameSettings).buffer,
        }),
  }
  return writeDicom(dataset, isCompressed ? rleLossless : undefined)
}

function takeOptions(options: DicomSegmentationOptions): SegmentationSettings {
  checkOptions('options', options, ['type', 'compression', 'perLesion', 'emptyFrames'])
  const { type = 'binary', compression = 'none', perLesion = false, emptyFrames = false } = options
  requireOneOf('type', type, types)
  requireOneOf('compression', compression, compressions)
  requireBoolean('perLesion', perLesion)
  requireBoolean('emptyFrames', emptyFrames)
  const isLabelMap = type === 'labelmap'
  const isCompressed = compression === 'rle'
  if (isCompressed && !isLabelMap) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      "RLE of single bits is too new in DICOM to be read (correction 2301; DCMTK does not); compress a label map, type: 'labelmap', or leave compression out",
    )
  }
  return { isLabelMap, isCompressed, perLesion, emptyFrames }
}

function bitDepth(bits: number): object {
  return { BitsAllocated: bits, BitsStored: bits, HighBit: bits - 1 }
}

/** The background is told by PixelPaddingValue, and is no segment. */
function labelPixels(
  frames: readonly SegmentationFrame[],
  settings: FrameSettings,
  bytesPerLabel: 1 | 2,
  isCompressed: boolean,
): object {
  const drawn = frames.map((frame) => drawLabels(frame, settings, bytesPerLabel))
  return {
    _vrMap: { PixelPaddingValue: 'US', PixelData: bytesPerLabel === 1 || isCompressed ? 'OB' : 'OW' },
    ...bitDepth(8 * bytesPerLabel),
    PixelPaddingValue: 0,
    PixelData: isCompressed ? compressFrames(drawn, settings.width, bytesPerLabel) : joinFrames(drawn).buffer,
  }
}
