import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { JcsError, readError } from '../base/errors'
import { type PacsSettings, queryGeometry, queryInstances, querySeries } from '../dicomweb'
import { listAllSeries } from '../images'
import type { SeriesRow } from './state'

/** A series as a source lists it. */
export type ListedNow = Pick<SeriesRow, 'uid' | 'study' | 'instances'>

/** Where series come from. */
export interface SeriesSource {
  /** The CT series that are there now. */
  list(signal: AbortSignal | undefined): Promise<ListedNow[]>
  /** Why a series is not diagnosed, as a full sentence; undefined for what may be a scan of a chest. */
  reasonToLeave(series: ListedNow, signal: AbortSignal | undefined): Promise<string | undefined>
}

/** Parts of the body whose scan has lungs in it, as scanners and their users write them (PS3.16, annex L). */
const chest = /CHEST|THORA|LUNG|TRUNK|TORSO|CAP\b|WHOLE|BODY/i

/** Localizers and calcium scores have fewer. */
const fewestSlices = 10

export function archiveSource(pacs: PacsSettings, studyDate: string | undefined): SeriesSource {
  return {
    async list(signal) {
      const found = await querySeries(pacs, { modality: 'CT', studyDate }, signal)
      const listed: ListedNow[] = []
      for (const { uid, studyUid, instances } of found)
        listed.push({
          uid,
          study: studyUid,
          instances: instances ?? (await queryInstances(pacs, studyUid, uid, signal)).length,
        })
      return listed
    },
    async reasonToLeave({ study, uid, instances }, signal) {
      if (instances < fewestSlices) return tooFew(instances)
      const [instanceUid] = await queryInstances(pacs, study, uid, signal)
      if (instanceUid === undefined) return tooFew(0)
      const { isAxial, bodyPart } = await queryGeometry(
        pacs,
        { studyUid: study, seriesUid: uid, instanceUid },
        signal,
      )
      if (!isAxial) return 'It is no series of axial CT images.'
      return bodyPart === '' || chest.test(bodyPart) ? undefined : 'Its body part is not the chest.'
    },
  }
}

function tooFew(instances: number): string {
  return `It has ${instances} instances, and a scan of a chest has ${fewestSlices} at least.`
}

export function folderSource(folder: string): SeriesSource {
  let seen = ''
  let listed: (ListedNow & { isAxial: boolean })[] = []
  return {
    async list(signal) {
      // Headers are read again when a file has come, gone or changed.
      const now = await fingerprintOf(folder)
      if (now === seen) return listed
      listed = await listFolder(folder, signal)
      seen = now
      return listed
    },
    async reasonToLeave({ uid, instances }) {
      if (instances < fewestSlices) return tooFew(instances)
      return listed.find((one) => one.uid === uid)?.isAxial
        ? undefined
        : 'It is no series of axial CT images.'
    },
  }
}

async function listFolder(
  folder: string,
  signal: AbortSignal | undefined,
): Promise<(ListedNow & { isAxial: boolean })[]> {
  try {
    // A file that is being copied cannot be read yet.
    const { series } = await listAllSeries(folder, { onBadSlice: 'skip', signal })
    return series.map(({ uid, slices, isAxial }) => ({ uid, study: '', instances: slices, isAxial }))
  } catch (error) {
    if (error instanceof JcsError && (error.code === 'EMPTY_DATASET' || error.code === 'UNSUPPORTED_FORMAT'))
      return []
    throw error
  }
}

/** Changes with each file's name, size and time of change. */
async function fingerprintOf(folder: string): Promise<string> {
  const sum = createHash('sha256')
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const paths = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    for (const path of paths.sort()) {
      const { size, mtimeMs } = await stat(path)
      sum.update(`${path}\0${size}\0${mtimeMs}\0`)
    }
  } catch (error) {
    throw readError(error, folder)
  }
  return sum.digest('hex')
}
