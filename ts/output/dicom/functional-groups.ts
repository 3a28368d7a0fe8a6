import { decimalString } from '../../dicom'
import type { Series } from '../../images'
import { code, segmentation } from './codes'
import type { Reference } from './content-items'
import type { SegmentationFrame } from './segmentation-pixels'
import type { ReferencedSlice, SourceSeries } from './source-series'

/** Tags that dimensions point to, as numbers. */
const segmentIdentificationSequence = 0x0062000a
const referencedSegmentNumber = 0x0062000b
const planePositionSequence = 0x00209113
const imagePositionPatient = 0x00200032

/** Segment, where frames are of one each, and position (PS3.3, C.7.6.17). */
export function dimensionsOf(isLabelMap: boolean, organizationUid: string): object {
  const index = (pointer: number, group: number, label: string) => ({
    DimensionOrganizationUID: organizationUid,
    DimensionIndexPointer: pointer,
    FunctionalGroupPointer: group,
    DimensionDescriptionLabel: label,
  })
  return {
    DimensionOrganizationSequence: [{ DimensionOrganizationUID: organizationUid }],
    DimensionIndexSequence: [
      ...(isLabelMap ? [] : [index(referencedSegmentNumber, segmentIdentificationSequence, 'Segment')]),
      index(imagePositionPatient, planePositionSequence, 'Position'),
    ],
  }
}

/** Functional groups (PS3.3, C.7.6.16): where frames lie, what they show, and of which source they are. */
export function functionalGroupsOf(
  frames: readonly SegmentationFrame[],
  { slices, study }: SourceSeries,
  series: Series | undefined,
): object {
  const place = (slice: ReferencedSlice) => planeOf(slice, study.SliceThickness, series?.spacingMm?.[2])
  const shared = place(slices[0]!)
  // Files of one series may differ in the last digits, which add up over an image.
  const isShared = slices.every((slice) => JSON.stringify(place(slice)) === JSON.stringify(shared))
  // Indices have no gaps (PS3.3, C.7.6.16.2.2): they count the positions that there are frames of.
  const positions = [...new Set(frames.map(({ slice }) => slice))].sort((a, b) => a - b)
  const positionIndices = new Map(positions.map((slice, index) => [slice, index + 1]))
  return {
    SharedFunctionalGroupsSequence: [isShared ? shared : {}],
    PerFrameFunctionalGroupsSequence: frames.map(({ slice: index, segment }) => {
      const slice = slices[index]!
      const number = segment === undefined ? [] : [segment + 1]
      return {
        FrameContentSequence: [{ DimensionIndexValues: [...number, positionIndices.get(index)!] }],
        PlanePositionSequence: [{ ImagePositionPatient: slice.positionMm.map(decimalString) }],
        ...(!isShared && place(slice)),
        DerivationImageSequence: [derivedFrom(slice)],
        ...(segment !== undefined && {
          SegmentIdentificationSequence: [{ ReferencedSegmentNumber: segment + 1 }],
        }),
      }
    }),
  }
}

/** How a slice lies but for its position. A lone slice of unknown thickness counts as a millimetre, as in NIfTI. */
function planeOf(
  { spacing, orientation }: ReferencedSlice,
  thickness: string,
  stepMm: number | undefined,
): object {
  return {
    PixelMeasuresSequence: [
      {
        SliceThickness: Number(thickness) > 0 ? thickness : decimalString(stepMm ?? 1),
        ...(stepMm !== undefined && { SpacingBetweenSlices: decimalString(stepMm) }),
        PixelSpacing: spacing.map(decimalString),
      },
    ],
    PlaneOrientationSequence: [{ ImageOrientationPatient: orientation.map(decimalString) }],
  }
}

function derivedFrom(slice: ReferencedSlice): object {
  return {
    DerivationCodeSequence: [segmentation],
    SourceImageSequence: [{ ...sourceImage(slice), SpatialLocationsPreserved: 'YES' }],
  }
}

/** What a derived image says of the one that it was made of (PS3.3, C.7.6.1.1.4). */
export function sourceImage({ sopClassUid, instanceUid, frameNumber }: ReferencedSlice): object {
  return {
    ReferencedSOPClassUID: sopClassUid,
    ReferencedSOPInstanceUID: instanceUid,
    ...(frameNumber !== undefined && { ReferencedFrameNumber: frameNumber }),
    PurposeOfReferenceCodeSequence: [code('121322', 'DCM', 'Source image for image processing operation')],
  }
}

/** The instances of the source, each once (Common Instance Reference, PS3.3, C.12.2): viewers look for them here. */
export function referencedSeriesOf({ slices, study }: SourceSeries) {
  return {
    ReferencedSeriesSequence: [
      { SeriesInstanceUID: study.SeriesInstanceUID, ReferencedInstanceSequence: referencedInstances(slices) },
    ],
  }
}

/** Each once, in the order of the slices. */
export function referencedInstances(slices: readonly ReferencedSlice[]): Reference[] {
  const classes = new Map(slices.map(({ instanceUid, sopClassUid }) => [instanceUid, sopClassUid]))
  return [...classes].map(([instanceUid, sopClassUid]) => ({
    ReferencedSOPClassUID: sopClassUid,
    ReferencedSOPInstanceUID: instanceUid,
  }))
}
