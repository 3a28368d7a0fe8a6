import { JcsError } from '../base/errors'
import { isValidUid } from '../dicom'
import { isAxial, type Orientation } from '../volumes'
import { dicomJson, type JsonDataset, numbersOf, readDatasets, textOf, textsOf } from './dicom-json'
import type { PacsSettings } from './pacs'
import { request } from './request'

/** Attributes by tag (PS3.6). */
const tag = {
  imageType: '00080008',
  sopClassUid: '00080016',
  sopInstanceUid: '00080018',
  modality: '00080060',
  bodyPart: '00180015',
  studyUid: '0020000D',
  seriesUid: '0020000E',
  seriesNumber: '00200011',
  orientation: '00200037',
  seriesInstances: '00201209',
}

/** Of what is fetched one by one. */
export interface InstanceAddress {
  studyUid: string
  seriesUid: string
  instanceUid: string
}

/** A series as the archive lists it, without what may name somebody, descriptions among it. */
export interface FoundSeries {
  studyUid: string
  uid: string
  modality: string
  /** Numbers of series need not be unique. */
  number?: number
  /** How many instances the archive says it has. */
  instances?: number
}

/** What is looked for; all of it together. */
export interface SeriesQuery {
  study?: string | undefined
  series?: string | undefined
  modality?: string | undefined
  /** Of the study: a day, YYYYMMDD, or a range of them, `20261101-` for instance (PS3.4, C.2.2.2.5). */
  studyDate?: string | undefined
}

/** Pages of lists: servers that give fewer at once are asked again as well. */
const pageSize = 1000

/** More than any study has: a list that goes on beyond is none. */
const maxListed = 100_000

/** @throws JcsError PACS_UNREACHABLE, PACS_UNAUTHORIZED, PACS_REFUSED, PACS_ANSWER_INVALID, CANCELLED */
export async function querySeries(
  pacs: PacsSettings,
  { study, series, modality, studyDate }: SeriesQuery,
  signal: AbortSignal | undefined,
): Promise<FoundSeries[]> {
  const path = study === undefined ? 'series' : `studies/${study}/series`
  const datasets = await queryAll(
    pacs,
    path,
    {
      ...(series !== undefined && { SeriesInstanceUID: series }),
      ...(modality !== undefined && { Modality: modality }),
      ...(studyDate !== undefined && { StudyDate: studyDate }),
      includefield: [tag.studyUid, tag.seriesInstances].join(','),
    },
    tag.seriesUid,
    signal,
  )
  return datasets.flatMap((dataset): FoundSeries[] => {
    const uid = textOf(dataset, tag.seriesUid)
    const studyUid = textOf(dataset, tag.studyUid) ?? study
    const found = textOf(dataset, tag.modality) ?? ''
    // A series of which nothing can be asked is none; a server may ignore what was asked for.
    if (!uid || !studyUid || !isValidUid(uid) || !isValidUid(studyUid)) return []
    if ((modality !== undefined && found !== modality) || (series !== undefined && uid !== series)) return []
    const [number] = numbersOf(dataset, tag.seriesNumber)
    const [instances] = numbersOf(dataset, tag.seriesInstances)
    return [
      {
        studyUid,
        uid,
        modality: found,
        ...(Number.isFinite(number) && { number: number! }),
        ...(Number.isInteger(instances) && { instances: instances! }),
      },
    ]
  })
}

/** The SOPInstanceUIDs of a series. @throws what `querySeries` does, for an instance without a valid UID as well */
export async function queryInstances(
  pacs: PacsSettings,
  studyUid: string,
  seriesUid: string,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const path = `studies/${studyUid}/series/${seriesUid}/instances`
  const datasets = await queryAll(pacs, path, {}, tag.sopInstanceUid, signal)
  return datasets.map((dataset) => {
    const uid = textOf(dataset, tag.sopInstanceUid) ?? ''
    if (isValidUid(uid)) return uid
    throw new JcsError(
      'PACS_ANSWER_INVALID',
      `${pacs.name} lists an instance of series ${seriesUid} whose SOPInstanceUID is none (PS3.5, 9.1): it cannot be asked for`,
    )
  })
}

/** Whether the archive lists the instance with the study. */
export async function hasInstance(
  pacs: PacsSettings,
  studyUid: string,
  instanceUid: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const path = `studies/${studyUid}/instances`
  const datasets = await queryPage(pacs, path, { SOPInstanceUID: instanceUid }, signal)
  return datasets.some((dataset) => textOf(dataset, tag.sopInstanceUid) === instanceUid)
}

/** What tells of one of its instances whether a series is a scan of slices. */
export interface InstanceGeometry {
  /** An axial CT image and no localizer, as far as the archive says: of many frames it stands in each. */
  isAxial: boolean
  /** Empty where nothing is said. */
  bodyPart: string
}

/** CT images, of one frame and of many (PS3.4, B.5). */
const ctImageClasses = new Set([
  '1.2.840.10008.5.1.4.1.1.2',
  '1.2.840.10008.5.1.4.1.1.2.1',
  '1.2.840.10008.5.1.4.1.1.2.2',
])

/** @throws what `querySeries` does */
export async function queryGeometry(
  pacs: PacsSettings,
  { studyUid, seriesUid, instanceUid }: InstanceAddress,
  signal: AbortSignal | undefined,
): Promise<InstanceGeometry> {
  const path = `studies/${studyUid}/series/${seriesUid}/instances/${instanceUid}/metadata`
  const [dataset = {}] = await queryPage(pacs, path, {}, signal)
  return { isAxial: isAxialImage(dataset), bodyPart: textOf(dataset, tag.bodyPart) ?? '' }
}

function isAxialImage(dataset: JsonDataset): boolean {
  const sopClassUid = textOf(dataset, tag.sopClassUid)
  if (sopClassUid !== undefined && !ctImageClasses.has(sopClassUid)) return false
  if (textsOf(dataset, tag.imageType).includes('LOCALIZER')) return false
  const orientation = numbersOf(dataset, tag.orientation)
  return orientation.length !== 6 || isAxial(orientation as unknown as Orientation)
}

/** Page after page, until one brings nothing new: servers give as many at once as they like, or always the same. */
async function queryAll(
  pacs: PacsSettings,
  path: string,
  query: Readonly<Record<string, string>>,
  uidTag: string,
  signal: AbortSignal | undefined,
): Promise<JsonDataset[]> {
  const found = new Map<string, JsonDataset>()
  for (let offset = 0; ; ) {
    const page = await queryPage(
      pacs,
      path,
      { ...query, limit: String(pageSize), offset: String(offset) },
      signal,
    )
    const before = found.size
    for (const dataset of page) found.set(textOf(dataset, uidTag) ?? `without, ${found.size}`, dataset)
    if (found.size === before) return [...found.values()]
    if (found.size > maxListed)
      throw new JcsError('PACS_ANSWER_INVALID', `${pacs.name} lists more than ${maxListed} of ${path}`)
    offset += page.length
  }
}

function queryPage(
  pacs: PacsSettings,
  path: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<JsonDataset[]> {
  const { name: where } = pacs
  return request(
    pacs,
    // What is not there is an empty list to some servers and 404 to others.
    { method: 'GET', path, query, accept: dicomJson, accepted: [404] },
    async (answer) => (answer.status === 404 ? [] : readDatasets(answer, where)),
    signal,
  )
}
