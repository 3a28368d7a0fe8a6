import { JcsError } from '../../base/errors'
import type { Case, SourceSlice } from '../../cases'
import { isValidUid } from '../../dicom'
import type { SourceStudy } from '../../images'
import type { Orientation, Vector } from '../../volumes'

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
  'DICOM results refer to their source by UIDs; writeWithNewUids (jcs diagnose --new-uids) gives copies of the files valid UIDs; diagnose those'

/**
 * The series that a case is, for a result that is filed with it.
 *
 * @throws JcsError INVALID_ARGUMENT for what is no DICOM, or lacks what a result has to refer to; and what `Case.study` does
 */
export async function sourceSeriesOf(scan: Case): Promise<SourceSeries> {
  const slices = await scan.sources()
  const study = await referableStudy(scan)
  for (const [index, slice] of slices.entries()) requireReferable(slice, scan.names[index]!)
  return { study, slices: slices as readonly ReferencedSlice[] }
}

/**
 * Finds out from the first slice whether a result can be filed with the case, before it is diagnosed.
 *
 * @throws what `sourceSeriesOf` does
 */
export async function requireDicomSource(scan: Case): Promise<void> {
  const [first] = await scan.sources(1)
  await referableStudy(scan)
  if (first) requireReferable(first, scan.names[0]!)
}

async function referableStudy(scan: Case): Promise<SourceStudy> {
  const study = await scan.study()
  if (!study) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      'the case is not a DICOM series, with which a DICOM result is filed; niftiMask gives the masks of any case',
    )
  }
  for (const keyword of ['StudyInstanceUID', 'SeriesInstanceUID', 'FrameOfReferenceUID'] as const) {
    const uid = study[keyword]
    if (isValidUid(uid)) continue
    throw new JcsError('INVALID_ARGUMENT', `the ${keyword} of the series is ${unusable(uid)}: ${wayOut}`)
  }
  return study
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
