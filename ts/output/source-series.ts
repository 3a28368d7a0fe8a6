import { JcsError } from '../base/errors'
import type { Case, SourceSlice } from '../cases'
import { isValidUid } from '../dicom'
import type { SourceStudy } from '../images'
import type { Orientation, Vector } from '../volumes'

/** A slice that a DICOM result can refer to and lie over. */
export interface ReferencedSlice extends SourceSlice {
  spacing: readonly [number, number]
  positionMm: Vector
  orientation: Orientation
  sopClassUid: string
  instanceUid: string
}

export interface SourceSeries {
  study: SourceStudy
  /** One at least, all of one size. */
  slices: readonly ReferencedSlice[]
}

const wayOut =
  'DICOM results refer to their source by UIDs; give copies of the files valid UIDs and diagnose those'

/**
 * The series that a case is, for a result that is filed with it.
 *
 * @throws JcsError INVALID_ARGUMENT for what is no DICOM, or lacks what a result has to refer to; and what `Case.study` does
 */
export async function sourceSeriesOf(scan: Case): Promise<SourceSeries> {
  const slices = await scan.sources()
  const study = await scan.study()
  if (!study) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      'the case is not a DICOM series, with which a DICOM result is filed; niftiMask gives the masks of any case',
    )
  }
  for (const keyword of ['StudyInstanceUID', 'SeriesInstanceUID', 'FrameOfReferenceUID'] as const)
    if (!isValidUid(study[keyword]))
      throw new JcsError(
        'INVALID_ARGUMENT',
        `the ${keyword} of the series is ${unusable(study[keyword])}: ${wayOut}`,
      )
  const [first] = slices
  for (const [index, slice] of slices.entries()) {
    requireReferable(slice, scan.names[index]!)
    if (slice.width === first?.width && slice.height === first.height) continue
    throw new JcsError('INVALID_ARGUMENT', 'the slices of the case are of several sizes')
  }
  return { study, slices: slices as readonly ReferencedSlice[] }
}

/** A UID of a file may hold whatever its writer put there, so that it is not repeated. */
function unusable(uid: string | undefined): string {
  return uid ? 'no valid UID (PS3.5, 9.1)' : 'missing'
}

function requireReferable(slice: SourceSlice, name: string): asserts slice is ReferencedSlice {
  for (const [what, uid] of [
    ['SOPClassUID', slice.sopClassUid],
    ['SOPInstanceUID', slice.instanceUid],
  ] as const)
    if (uid === undefined || !isValidUid(uid))
      throw new JcsError('INVALID_ARGUMENT', `the ${what} of '${name}' is ${unusable(uid)}: ${wayOut}`)
  if (slice.spacing && slice.positionMm && slice.orientation) return
  throw new JcsError(
    'INVALID_ARGUMENT',
    `'${name}' does not say where in the patient it lies and how large its pixels are, and neither could a result`,
  )
}
