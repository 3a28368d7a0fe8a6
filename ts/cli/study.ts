import { JcsError } from '../base/errors'
import { withTemporaryDirectory } from '../base/temporary-directory'
import { fetchSeries } from '../fetch-series'
import { type DicomResults, filesOf } from '../output/dicom-results'
import type { StoredInstance } from '../run/results'
import { storeInstances } from '../store-instances'
import { type PacsFlags, pacsOf } from './pacs'
import type { Session } from './session'

export interface StudyFlags extends PacsFlags {
  study?: string
  series?: string
  fetchTo?: string
  store?: boolean
  newUids?: string
}

/** What a command reads a case from. */
export interface Source {
  paths: string[]
  /** The DICOM series to take of them. */
  series?: string | undefined
  /** How they were found, as full sentences. */
  warnings: string[]
}

/** Gives `use` the files named, or those of the study named, which is fetched before. */
export async function withSource<T>(
  paths: string[],
  flags: StudyFlags,
  session: Session,
  use: (source: Source) => Promise<T>,
): Promise<T> {
  const { study, series, fetchTo } = flags
  checkFlags(paths, flags)
  if (study === undefined) return use({ paths, series, warnings: [] })
  const pacs = pacsOf(flags)
  const fetchAndUse = async (directory: string) => {
    const { files, warnings } = await session.follow((controls) =>
      fetchSeries(pacs, { study, series }, directory, controls),
    )
    return use({ paths: files, warnings })
  }
  return fetchTo === undefined ? withTemporaryDirectory(fetchAndUse) : fetchAndUse(fetchTo)
}

function checkFlags(paths: readonly string[], flags: StudyFlags): void {
  const { study, store, newUids } = flags
  const wrong = (message: string) => new JcsError('INVALID_ARGUMENT', message)
  if (study === undefined) {
    const lone = (['from', 'fetchTo', 'store', 'tokenFile'] as const).find(
      (name) => flags[name] !== undefined,
    )
    if (lone) throw wrong(`--${lone.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} needs --study`)
    if (paths.length === 0)
      throw wrong('nothing was named to diagnose: give files or a folder, or --study with --from')
    return
  }
  if (paths.length > 0) throw wrong('files and --study were named: one of them can be diagnosed at a time')
  if (store && newUids !== undefined)
    throw wrong(
      '--store files results with the study as the archive has it, --new-uids makes another one of it',
    )
}

/** Stores results with the study that they are of. */
export function storeResults(
  results: DicomResults,
  flags: StudyFlags,
  session: Session,
): Promise<StoredInstance[]> {
  return session.follow((controls) => storeInstances(pacsOf(flags), filesOf(results), controls))
}

/** @throws JcsError PACS_REFUSED, with what the archive has not stored and why */
export function requireStored(stored: readonly StoredInstance[] = []): void {
  const left = stored.filter((one) => !one.stored)
  if (left.length === 0) return
  const reasons = left.map(({ instanceUid, reason }) => `${instanceUid}: ${reason}`).join(' ')
  throw new JcsError('PACS_REFUSED', `${left.length} of ${stored.length} results were not stored. ${reasons}`)
}
