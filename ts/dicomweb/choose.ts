import { JcsError } from '../base/errors'
import type { PacsSettings } from './pacs'
import { type FoundSeries, queryGeometry, queryInstances, querySeries } from './query'

/** The series of a study that is to be diagnosed, and its instances. */
export interface ChosenSeries extends FoundSeries {
  instanceUids: string[]
  /** Full sentences. */
  warnings: string[]
}

/**
 * Chooses among the CT series of a study that with the most instances whose first one is an axial image and no localizer,
 * or the one named.
 *
 * @throws JcsError EMPTY_DATASET when the study has none, INVALID_ARGUMENT when it lacks the one named, and what
 * `querySeries` does
 */
export async function chooseSeries(
  pacs: PacsSettings,
  study: string,
  series: string | undefined,
  signal: AbortSignal | undefined,
): Promise<ChosenSeries> {
  const { name: where } = pacs
  const found = await querySeries(pacs, { study, modality: 'CT' }, signal)
  if (found.length === 0) {
    throw new JcsError(
      'EMPTY_DATASET',
      `${where} lists no CT series of study ${study}, or ${pacs.base.pathname} is not the path of its DICOMweb services`,
    )
  }
  const named = series === undefined ? found : found.filter(({ uid }) => uid === series)
  if (named.length === 0) {
    const known = found.map(({ uid, instances = '?' }) => `${uid} (${instances} instances)`).join(', ')
    throw new JcsError('INVALID_ARGUMENT', `study ${study} has no CT series ${series}; it has ${known}`)
  }
  const candidates: ChosenSeries[] = []
  for (const one of named) {
    const instanceUids = await queryInstances(pacs, study, one.uid, signal)
    if (instanceUids.length > 0) candidates.push({ ...one, instanceUids, warnings: [] })
  }
  candidates.sort((a, b) => b.instanceUids.length - a.instanceUids.length)
  for (const candidate of candidates) {
    if (series === undefined && !(await isScan(pacs, candidate, signal))) continue
    const others = found.length - 1
    const choice = `The study has ${found.length} CT series; the largest axial one, ${candidate.uid} (${candidate.instanceUids.length} instances), was taken. Another one is chosen by the option series.`
    return { ...candidate, warnings: series === undefined && others > 0 ? [choice] : [] }
  }
  throw new JcsError(
    'EMPTY_DATASET',
    `none of the ${found.length} CT series of study ${study} is an axial scan; the option series takes one all the same`,
  )
}

async function isScan(
  pacs: PacsSettings,
  { studyUid, uid: seriesUid, instanceUids }: ChosenSeries,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { isAxial } = await queryGeometry(
    pacs,
    { studyUid, seriesUid, instanceUid: instanceUids[0]! },
    signal,
  )
  return isAxial
}
