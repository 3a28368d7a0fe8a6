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
import type { Upload } from './uploads'

/** What a caller may set, by what is done; the rest is the server's. */
const optionNames = {
  classify: ['explain', 'threshold', 'testTimeAugmentation', 'model'],
  segment: ['threshold', 'minAreaPixels', 'testTimeAugmentation', 'model'],
  diagnose: [
    'sliceThreshold',
    'explain',
    'classificationThreshold',
    'minLesionAreaMm2',
    'segmentationThreshold',
    'minAreaPixels',
    'classifier',
    'segmenter',
    'lungs',
    'report',
  ],
} as const

const commonNames = ['window', 'series', 'onBadSlice', 'onGap', 'priority', 'deadlineMs'] as const

export interface Work {
  kind: RequestEvent['kind']
  upload: Upload
  /** Who asks. */
  client: string | undefined
  signal: AbortSignal
  onProgress: (event: ProgressEvent) => void
}

/** Does what was asked for with the files of an upload. */
export async function workOn(
  { service }: RoutesSettings,
  work: Work,
): Promise<ClassifyAnswer | SegmentAnswer | DiagnoseAnswer> {
  const { kind, upload, client, signal, onProgress } = work
  requireKnown('options', upload.options, [...optionNames[kind], ...commonNames])
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

/** A slice's file has a number here, `000012` or `000012 (page 3)`, and goes by the name that it was sent with. */
function sentName({ files, names }: Upload, scan: Case, index: number): string {
  const here = scan.names[index] ?? ''
  const number = Number(/^\d{6}/.exec(here)?.[0])
  return number >= 1 && number <= files.length ? names[number - 1]! + here.slice(6) : here
}

/** Fetches the study that a request names instead of bringing it. */
export async function fetchStudy(
  { pacs }: RoutesSettings,
  { study, ...options }: Record<string, unknown>,
  directory: string,
  signal: AbortSignal,
  onProgress: (event: ProgressEvent) => void,
): Promise<Upload> {
  if (!pacs)
    throw new JcsError('INVALID_ARGUMENT', 'this server has no archive to fetch a study from; send its files')
  requireString('study', study)
  const { series } = options
  if (series !== undefined) requireString('series', series)
  const { files } = await fetchSeries(pacs, { study, series }, directory, { signal, onProgress })
  const { series: _, ...rest } = options
  return { files, names: files.map((_, index) => `instance ${index + 1}`), options: rest }
}
