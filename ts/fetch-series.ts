import { join } from 'node:path'
import { runUntilFailure } from './base/ahead'
import { checkOptions } from './base/check'
import { makeDirectory } from './base/write-files'
import { chooseSeries, fetchInstance, type Pacs, requireUid, takePacs } from './dicomweb'
import { Rate } from './run/batches'
import { Run, type RunOptions } from './run/run'

/** Which series of an archive. */
export interface SeriesAddress {
  /** StudyInstanceUID. */
  study: string
  /** SeriesInstanceUID. Default: the CT series with the most instances that is an axial scan. */
  series?: string | undefined
}

/** A series as files. */
export interface FetchedSeries {
  study: string
  series: string
  /** Paths, in no order; `openCase` puts slices in order. */
  files: string[]
  /** How many of them had to be fetched. */
  fetched: number
  /** How it was chosen, as full sentences. */
  warnings: string[]
}

/** Instances that are fetched at the same time. */
const concurrency = 4

/**
 * Fetches a series from an archive into a directory (WADO-RS, PS3.18, 10.4): an instance at a time, from the network to
 * the disk, in the transfer syntax that the archive has. A file there of an earlier call is not fetched again, so that a
 * broken call goes on where it ended. The files hold what the archive holds, whom they are of as well.
 *
 * @param directory is made if need be; files in it are `<SOPInstanceUID>.dcm`
 * @throws JcsError INVALID_ARGUMENT for a UID that is none or a series that is not in the study, EMPTY_DATASET when the
 * study has no CT, PACS_UNREACHABLE, PACS_UNAUTHORIZED, PACS_REFUSED, PACS_ANSWER_INVALID, FILE_UNWRITABLE, DISK_FULL
 */
export function fetchSeries(
  pacs: Pacs,
  address: SeriesAddress,
  directory: string,
  options: RunOptions = {},
): Run<FetchedSeries> {
  return new Run(async ({ signal, emit }) => {
    const settings = takePacs(pacs)
    checkOptions('options', options, ['signal', 'onProgress'])
    checkOptions('address', address, ['study', 'series'])
    const { study, series } = address
    requireUid('address.study', study)
    if (series !== undefined) requireUid('address.series', series)
    const { uid, instanceUids, warnings } = await chooseSeries(settings, study, series, signal)
    await makeDirectory(directory)
    const pathOf = (instanceUid: string) => join(directory, `${instanceUid}.dcm`)
    const tasks = instanceUids.map((instanceUid) => (signal: AbortSignal) => {
      const instance = { studyUid: study, seriesUid: uid, instanceUid }
      return fetchInstance(settings, instance, pathOf(instanceUid), signal)
    })
    const total = tasks.length
    const rate = new Rate()
    let done = 0
    let fetched = 0
    for await (const isNew of runUntilFailure(tasks, concurrency, signal)) {
      done++
      if (isNew) fetched++
      emit({ phase: 'fetch', done, total, ...rate.of(done, total) })
    }
    return { study, series: uid, files: instanceUids.map(pathOf), fetched, warnings }
  }, options)
}
