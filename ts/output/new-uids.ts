import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { JcsError } from '../base/errors'
import { makeDirectory, writeFileAtomically } from '../base/write-files'
import type { Case } from '../cases'
import { derivedUid } from '../dicom'

/**
 * Writes copies of the case's DICOM files under a new study, series and frame of reference, each with a new UID: for
 * sources whose UIDs are missing or invalid, so that DICOM results cannot refer to them. Open and diagnose the copies, and
 * store them with the results. Nothing but UIDs and the files' meta information is changed, pixels and whom they are of are
 * as they were; references of the files to others lead to the old ones. New UIDs follow from the files' bytes.
 *
 * @param scan a case of one DICOM series
 * @param directory is made if need be; files in it are `0001.dcm` and so on, head first
 * @returns the paths of the copies, in the order of the case
 * @throws JcsError INVALID_ARGUMENT for a case that is not a DICOM series, UNSUPPORTED_FORMAT for big endian and deflated
 * files, CORRUPT_FILE, FILE_UNREADABLE, FILE_UNWRITABLE, DISK_FULL, DISPOSED
 */
export async function writeWithNewUids(scan: Case, directory: string): Promise<string[]> {
  const source = await scan.dicomFiles()
  if (!source) throw new JcsError('INVALID_ARGUMENT', 'the case is not a DICOM series, which alone has UIDs')
  const bytes = await source.readFirst()
  const digest = createHash('sha256').update(bytes).digest('hex')
  const uids = {
    studyUid: derivedUid('restamped study', digest),
    seriesUid: derivedUid('restamped series', digest),
    frameOfReferenceUid: derivedUid('restamped frame of reference', digest),
  }
  await makeDirectory(directory)
  const paths: string[] = []
  for (let index = 0; index < source.count; index++) {
    const path = join(directory, `${index + 1}`.padStart(4, '0').concat('.dcm'))
    await writeFileAtomically(path, await source.restamp(index, uids))
    paths.push(path)
  }
  return paths
}
