import { resolve } from 'node:path'
import { requireBoolean, requireNumber, requireObject, requireString } from './base/check'
import { JcsError } from './base/errors'
import { makeWritableDirectory } from './base/write-files'
import type { DiagnoseOptions, DiagnosisModels } from './diagnose'
import { takeModels } from './diagnosis/models'
import { takeDiagnosisSettings } from './diagnosis/options'
import { type Pacs, takePacs } from './dicomweb'
import type { WatchEvent, WatchedSeries } from './watching/events'
import { holdAlone } from './watching/only-one'
import { archiveSource, folderSource } from './watching/sources'
import { WatchState } from './watching/state'
import { Watcher } from './watching/watcher'

export type { WatchEvent, WatchedSeries }

export interface WatchOptions extends Omit<DiagnoseOptions, 'series' | 'onProgress' | 'explain'> {
  /**
   * Directory of what was seen and done, made if need be: a database, and the series that is worked on. Of one watch at a
   * time; whoever goes on with it repeats and loses nothing.
   */
  state: string
  /**
   * Directory for `report.html` and `diagnosis.json` of each series, and of a folder's `segmentation.dcm` and `report.dcm`
   * too, unless it lacks valid UIDs. Needed for a folder.
   */
  out?: string | undefined
  /** Stores segmentation, report and key images with the study. Default true of an archive; a folder has no place for them. */
  store?: boolean | undefined
  /** Of studies in an archive: a day, YYYYMMDD, or a range of them, such as `20261101-`. Default all that it has. */
  studyDate?: string | undefined
  /** A series is complete when it has had the same instances this long, ms. Default 60,000. */
  stableMs?: number | undefined
  /** Between two looks, ms; where nobody answers, twice as long each time, up to five minutes. Default 30,000. */
  pollMs?: number | undefined
  /** Ends when there is nothing left to do. Default false. */
  once?: boolean | undefined
}

/**
 * Diagnoses every CT of a chest in an archive or a folder once, as it comes, and tells what it does: what was there
 * before, too. Ended in whatever way, it goes on with the same `state`.
 *
 * @param source an archive, or the path of a folder that files are copied to
 * @throws JcsError INVALID_ARGUMENT, for the state of another source as well, INVALID_TYPE, BUSY when another process has the state, FILE_UNWRITABLE, CORRUPT_FILE
 * for a state that is none, CANCELLED; what fails of one series, or passes, is an event
 */
export async function* watch(
  models: DiagnosisModels,
  source: Pacs | string,
  options: WatchOptions,
): AsyncGenerator<WatchEvent, void, undefined> {
  requireObject('options', options)
  const {
    state: directory,
    out,
    store = typeof source !== 'string',
    studyDate,
    stableMs = 60_000,
    pollMs = 30_000,
    once = false,
    ...diagnosis
  } = options
  requireString('state', directory)
  if (out !== undefined) requireString('out', out)
  requireBoolean('store', store)
  requireBoolean('once', once)
  requireNumber('stableMs', stableMs, 0, 2 ** 31 - 1)
  requireNumber('pollMs', pollMs, 1, 2 ** 31 - 1)
  if (studyDate !== undefined) requireString('studyDate', studyDate)
  checkFit(source, options)
  takeDiagnosisSettings(diagnosis, takeModels(models).classifier !== undefined)
  const { signal, ...rest } = diagnosis
  await makeWritableDirectory(directory)
  using _alone = await holdAlone(directory)
  const isFolder = typeof source === 'string'
  const archive = isFolder ? undefined : takePacs(source)
  using state = new WatchState(directory, archive ? archive.base.href : resolve(source as string))
  yield* new Watcher(
    {
      models,
      ...(isFolder ? { folder: source, pacs: undefined } : { folder: undefined, pacs: source }),
      source: archive ? archiveSource(archive, studyDate) : folderSource(source as string),
      directory,
      out,
      store,
      stableMs,
      pollMs,
      once,
      diagnosis: rest,
      signal,
    },
    state,
  ).run()
}

/** Options that mean nothing of a series at a time, or of a folder. */
function checkFit(source: Pacs | string, options: WatchOptions): void {
  const wrong = (message: string) => new JcsError('INVALID_ARGUMENT', message)
  for (const name of ['series', 'explain', 'onProgress'])
    if (name in options) throw wrong(`watch has no option '${name}'`)
  if (typeof source !== 'string') return
  requireString('source', source)
  if (options.store) throw wrong('store: results of a folder have no study to be stored with; give out')
  if (options.studyDate !== undefined)
    throw wrong('studyDate is asked of an archive; a folder is taken as it is')
  if (options.out === undefined) throw wrong('out is missing: results of a folder are written there')
}
