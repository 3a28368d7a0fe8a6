import { JcsError } from '../../base/errors'
import { readIdentity } from '../../dicom'
import type { Diagnosis } from '../../run/results'
import { resultUidsOf } from './result-uids'
import { digestOf, type FrameSettings, framesOf, type SegmentationFrame } from './segmentation-pixels'
import { type Segment, segmentsOf } from './segments'
import type { SourceSeries } from './source-series'

export interface SegmentationSettings {
  isLabelMap: boolean
  isCompressed: boolean
  perLesion: boolean
  emptyFrames: boolean
}

/** What a segmentation holds and how it is known, before a pixel of it is written. */
export interface SegmentationPlan {
  segments: readonly Segment[]
  frames: readonly SegmentationFrame[]
  frameSettings: FrameSettings
  sopClassUid: string
  instanceUid: string
  seriesUid: string
}

const segmentationStorage = '1.2.840.10008.5.1.4.1.1.66.4'
const labelMapSegmentationStorage = '1.2.840.10008.5.1.4.1.1.66.7'

/** @throws JcsError INVALID_ARGUMENT when nothing was looked for, or the diagnosis is of another case */
export function planSegmentation(
  diagnosis: Diagnosis,
  { slices, study }: SourceSeries,
  settings: SegmentationSettings,
): SegmentationPlan {
  const { isLabelMap, isCompressed, perLesion, emptyFrames } = settings
  const { width, height } = slices[0]!
  const size = { width, height, count: slices.length }
  const segments = segmentsOf(diagnosis, size, { perLesion, isExclusive: isLabelMap })
  const frameSettings = { ...size, isLabelMap, emptyFrames }
  const frames = framesOf(segments, frameSettings)
  const uid = resultUidsOf(diagnosis, study)
  const written = JSON.stringify([isLabelMap, isCompressed, perLesion, emptyFrames])
  const kinds = segments.map(({ label }) => label)
  return {
    segments,
    frames,
    frameSettings,
    sopClassUid: isLabelMap ? labelMapSegmentationStorage : segmentationStorage,
    instanceUid: uid('segmentation', written, ...kinds, digestOf(frames)),
    seriesUid: uid('segmentation series'),
  }
}

/**
 * What a binary file of `dicomSegmentation` holds. Its UID follows from that, so what gives the same UID is the same.
 *
 * @throws JcsError INVALID_ARGUMENT for a label map, and for a file that is not of this diagnosis; CORRUPT_FILE
 */
export function planOfFile(bytes: Uint8Array, diagnosis: Diagnosis, source: SourceSeries): SegmentationPlan {
  const { sopClassUid, sopInstanceUid } = readIdentity(bytes, 'the segmentation')
  if (sopClassUid === labelMapSegmentationStorage) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      "references to segments of a label map are too new in DICOM to be read (DCMTK and dciodvfy refuse them); give a segmentation of type 'binary', or none",
    )
  }
  const known = { isLabelMap: false, isCompressed: false }
  for (const perLesion of [false, true])
    for (const emptyFrames of [false, true]) {
      const plan = planSegmentation(diagnosis, source, { ...known, perLesion, emptyFrames })
      if (plan.instanceUid === sopInstanceUid) return plan
    }
  throw new JcsError(
    'INVALID_ARGUMENT',
    'the segmentation is not one that dicomSegmentation of this version gives of this diagnosis and case',
  )
}
