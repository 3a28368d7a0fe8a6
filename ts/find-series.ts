import { checkOptions, requireString } from './base/check'
import { type FoundSeries, type Pacs, querySeries, requireUid, type SeriesQuery, takePacs } from './dicomweb'
import type { RunOptions } from './run/run'

export type { FoundSeries, SeriesQuery }

/**
 * Asks an archive for its series (QIDO-RS, PS3.18, 10.6). What comes back names no patient.
 *
 * @param query all series of the archive without one
 * @throws JcsError INVALID_ARGUMENT for a UID that is none, PACS_UNREACHABLE, PACS_UNAUTHORIZED, PACS_REFUSED,
 * PACS_ANSWER_INVALID, CANCELLED
 */
export async function findSeries(
  pacs: Pacs,
  query: SeriesQuery = {},
  options: Pick<RunOptions, 'signal'> = {},
): Promise<FoundSeries[]> {
  const settings = takePacs(pacs)
  checkOptions('query', query, ['study', 'series', 'modality', 'studyDate'])
  checkOptions('options', options, ['signal'])
  for (const name of ['study', 'series'] as const)
    if (query[name] !== undefined) requireUid(`query.${name}`, query[name])
  for (const name of ['modality', 'studyDate'] as const)
    if (query[name] !== undefined) requireString(`query.${name}`, query[name])
  return querySeries(settings, query, options.signal)
}
