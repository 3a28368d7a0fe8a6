import { requireKnown, requireString } from '../base/check'
import { JcsError } from '../base/errors'
import type { Case } from '../cases'
import { fetchSeries } from '../fetch-series'
import { openCase } from '../open-case'
import { diagnosisDocument } from '../output/diagnosis-document'
import { diagnosisReport } from '../report'
import { type ImageOptions, separateImageOptions } from '../run/options'
import type { ProgressEvent } from '../run/progress'
import type { RequestEvent } from '../service/observer'
import {
  type ClassifyAnswer,
  classificationDocuments,
  type DiagnoseAnswer,
  type SegmentAnswer,
  segmentationDocuments,
} from './documents'
import type { RoutesSettings } from './options'
import { requestOptions } from './request-options'
import type { Upload } from './uploads'

export interface Work {
  kind: RequestEvent['kind']
  upload: Upload
  /** Who asks. */
  client: string | undefined
  signal: AbortSignal
  onProgress: (event: ProgressEvent) => void
}

/** @throws JcsError INVALID_ARGUMENT for what is no option of that */
export function requireOptions(kind: RequestEvent['kind'], options: Record<string, unknown>): void {
  requireKnown('options', options, Object.keys(requestOptions(kind)))
}

/** Does what was asked for with the files of an upload. */
export async function workOn(
  { service }: RoutesSettings,
  work: Work,
): Promise<ClassifyAnswer | SegmentAnswer | DiagnoseAnswer> {
  const { kind, upload, client, signal, onProgress } = work
  requireOptions(kind, upload.options)
  if (upload.files.length === 0)
    throw new JcsError('INVALID_ARGUMENT', "the request has no file; send each as a field 'images'")
  const { report: withReport = false, ...given } = upload.options
  const [imageOptions, options] = separateImageOptions(given as ImageOptions)
  using scan = openCase(upload.files, imageOptions)
  const nameOf = (index: number) => sentName(upload, scan, index)
  const controls = { ...options, client, signal, onProgress }
  if (kind === 'classify')
    return { results: await classificationDocuments(await service.classify(scan, controls), nameOf) }
  if (kind === 'segment')
    return { results: await segmentationDocuments(await service.segment(scan, controls), nameOf) }
  const diagnosis = await service.diagnose(scan, controls)
  const names = diagnosis.slices.map(({ index }) => nameOf(index))
  return {
    ...diagnosisDocument(diagnosis, names),
    ...(withReport === true && { report: await diagnosisReport(diagnosis, scan) }),
  }
}

/** A file that was sent has a number here, `000012` or `000012 (page 3)`, and goes by the name that it was sent with. */
function sentName({ names }: Upload, scan: Case, index: number): string {
  const here = scan.names[index] ?? ''
  return names === undefined ? here : names[Number(here.slice(0, 6)) - 1]! + here.slice(6)
}

/** Fetches the study that a request names instead of bringing it. */
export async function fetchStudy(
  { pacs }: RoutesSettings,
  { study, series, ...options }: Record<string, unknown>,
  { kind, directory, ...controls }: Pick<Work, 'kind' | 'signal' | 'onProgress'> & { directory: string },
): Promise<Upload> {
  if (!pacs)
    throw new JcsError('INVALID_ARGUMENT', 'this server has no archive to fetch a study from; send its files')
  requireString('study', study)
  if (series !== undefined) requireString('series', series)
  requireOptions(kind, options)
  const { files } = await fetchSeries(pacs, { study, series }, directory, controls)
  return { files, options }
}
