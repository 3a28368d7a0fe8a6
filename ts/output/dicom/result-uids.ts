import { version } from '../../base/version'
import { derivedUid } from '../../dicom'
import type { SourceStudy } from '../../images'
import type { Diagnosis } from '../../run/results'

/** Gives UIDs that follow from what they are of, the source series, the models' hashes and the version of this library. */
export type ResultUid = (what: string, ...more: string[]) => string

export function resultUidsOf({ models }: Diagnosis, study: SourceStudy): ResultUid {
  const described = models.map(({ role, network, sha256 = '' }) => `${role} ${network} ${sha256}`)
  return (what, ...more) =>
    derivedUid(what, study.StudyInstanceUID, study.SeriesInstanceUID, version, ...described, ...more)
}
