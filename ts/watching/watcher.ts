import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { waitUntilAborted } from '../base/abort'
import { JcsError, type JcsErrorCode } from '../base/errors'
import { readWhole } from '../base/files'
import { makeDirectory, writeFileAtomically } from '../base/write-files'
import { Case } from '../cases'
import { type DiagnoseOptions, type DiagnosisModels, diagnose } from '../diagnose'
import { isValidUid, readReference } from '../dicom'
import type { Pacs } from '../dicomweb'
import { fetchSeries } from '../fetch-series'
import { diagnosisDocument } from '../output/diagnosis-document'
import { requireDicomSource } from '../output/dicom/source-series'
import { dicomResults, filesOf } from '../output/dicom-results'
import { diagnosisReport } from '../report'
import { separateImageOptions } from '../run/options'
import type { Diagnosis } from '../run/results'
import type { Run } from '../run/run'
import { storeInstances } from '../store-instances'
import type { WatchEvent, WatchedSeries } from './events'
import type { ListedNow, SeriesSource } from './sources'
import type { SeriesRow, WatchState } from './state'

export interface WatcherSettings {
  models: DiagnosisModels
  /** Or a folder. */
  pacs: Pacs | undefined
  folder: string | undefined
  source: SeriesSource
  /** Directory of the state, in which series and results lie as long as they are worked on. */
  directory: string
  out: string | undefined
  store: boolean
  stableMs: number
  pollMs: number
  once: boolean
  diagnosis: DiagnoseOptions
  signal: AbortSignal | undefined
}

/** So often a series is tried that fails by itself. */
const maxAttempts = 3
const maxPauseMs = 300_000

/** What says nothing of the series that was worked on: it waits as it did. */
const passing: ReadonlySet<JcsErrorCode> = new Set([
  'PACS_UNREACHABLE',
  'PACS_UNAUTHORIZED',
  'DISK_FULL',
  'FILE_UNWRITABLE',
  'OUT_OF_MEMORY',
  'BUSY',
])

/** What ends the watch. */
const fatal: ReadonlySet<JcsErrorCode> = new Set(['CANCELLED', 'DISPOSED', 'INTERNAL', 'DEVICE_UNAVAILABLE'])

type Events<T = void> = AsyncGenerator<WatchEvent, T, undefined>

/**
 * Takes series one after the other through the states of `WatchState`, each of which is written before what follows from
 * it is done. Ended at any moment it goes on there: a series that was not `ready` is diagnosed anew, of which nobody has
 * seen anything, and results of one that was are stored again under the UIDs they had.
 */
export class Watcher {
  readonly #settings: WatcherSettings
  readonly #state: WatchState
  #listed = new Map<string, ListedNow>()

  constructor(settings: WatcherSettings, state: WatchState) {
    this.#settings = settings
    this.#state = state
  }

  async *run(): Events {
    const { pollMs, once, signal } = this.#settings
    for (let failures = 0; ; ) {
      let pauseMs = pollMs
      try {
        yield* this.#look()
        yield* this.#work()
        failures = 0
      } catch (error) {
        if (!(error instanceof JcsError) || !passing.has(error.code)) throw error
        pauseMs = Math.min(maxPauseMs, pollMs * 2 ** failures++)
        yield { kind: 'away', code: error.code, message: error.message, retryMs: pauseMs }
      }
      if (once && failures === 0 && this.#isIdle()) return
      if (failures === 0) yield { kind: 'idle', counts: this.#state.count() }
      await waitUntilAborted(pauseMs, signal)
    }
  }

  async *#look(): Events {
    const listed = await this.#settings.source.list(this.#settings.signal)
    this.#listed = new Map(listed.map((series) => [series.uid, series]))
    for (const series of listed) {
      const before = this.#state.find(series.uid)
      const now = this.#state.see(series, Date.now())
      if (before?.instances !== now.instances && now.state === 'waiting')
        yield { kind: 'found', ...watched(now) }
    }
  }

  async *#work(): Events {
    for (const row of this.#state.inState('ready')) yield* this.#attempt(row, this.#deliver(row))
    for (const row of this.#state.inState('waiting')) {
      if (!this.#listed.has(row.uid) || Date.now() - row.sinceMs < this.#settings.stableMs) continue
      yield* this.#attempt(row, this.#diagnose(row))
    }
  }

  /** What is not listed any more is waited for no longer. */
  #isIdle(): boolean {
    const isListed = ({ uid }: SeriesRow) => this.#listed.has(uid)
    return this.#state.inState('ready').length === 0 && !this.#state.inState('waiting').some(isListed)
  }

  async *#attempt(row: SeriesRow, work: Events): Events {
    try {
      yield* work
    } catch (error) {
      if (!(error instanceof JcsError) || fatal.has(error.code) || passing.has(error.code)) throw error
      const { code, message } = error
      const isFinal = this.#state.setTried(row.uid, message, Date.now()) >= maxAttempts
      if (isFinal) await this.#finish(row, () => this.#state.setAside(row.uid, 'failed', message))
      yield { kind: 'failed', ...watched(row), code, message, isFinal }
    }
  }

  async *#diagnose(row: SeriesRow): Events {
    const { source, models, store, signal, diagnosis: options } = this.#settings
    const reason = await source.reasonToLeave(row, signal)
    if (reason !== undefined) {
      this.#state.setAside(row.uid, 'left', reason)
      yield { kind: 'left', ...watched(row), reason }
      return
    }
    yield { kind: 'started', ...watched(row) }
    const [imageOptions, settings] = separateImageOptions(options)
    const { paths, series } = yield* this.#fetch(row)
    using scan = new Case(paths, { ...imageOptions, series }, 'patient')
    if (store) await requireDicomSource(scan)
    const diagnosis = yield* followed(row, diagnose(models, scan, { ...settings, signal }))
    await this.#writeReport(row, diagnosis, scan)
    const results = store ? await this.#writeResults(row, diagnosis, scan) : []
    this.#state.setReady(row.uid, diagnosis.positive, results)
    yield { kind: 'diagnosed', ...watched(row), positive: diagnosis.positive }
    yield* this.#deliver(row)
  }

  async *#fetch(row: SeriesRow): Events<{ paths: string[]; series: string | undefined }> {
    const { pacs, folder, signal } = this.#settings
    if (!pacs) return { paths: [folder!], series: row.uid }
    const directory = join(this.#directoryOf(row), 'slices')
    const address = { study: row.study, series: row.uid }
    const { files } = yield* followed(row, fetchSeries(pacs, address, directory, { signal }))
    return { paths: files, series: undefined }
  }

  async #writeReport(row: SeriesRow, diagnosis: Diagnosis, scan: Case): Promise<void> {
    if (this.#settings.out === undefined) return
    const directory = join(this.#settings.out, nameOf(row))
    await makeDirectory(directory)
    await writeFileAtomically(join(directory, 'report.html'), await diagnosisReport(diagnosis, scan))
    const document = JSON.stringify(diagnosisDocument(diagnosis, scan.names), undefined, 2)
    await writeFileAtomically(join(directory, 'diagnosis.json'), `${document}\n`)
    if (this.#settings.pacs || !(await isReferable(scan))) return
    const { segmentation, report } = await dicomResults(diagnosis, scan, {
      kinds: ['segmentation', 'report'],
    })
    if (segmentation) await writeFileAtomically(join(directory, 'segmentation.dcm'), segmentation)
    if (report) await writeFileAtomically(join(directory, 'report.dcm'), report)
  }

  /** Gives their SOPInstanceUIDs. */
  async #writeResults(row: SeriesRow, diagnosis: Diagnosis, scan: Case): Promise<string[]> {
    const directory = this.#resultsOf(row)
    await rm(directory, { recursive: true, force: true })
    await makeDirectory(directory)
    const instanceUids: string[] = []
    for (const file of filesOf(await dicomResults(diagnosis, scan))) {
      const { instanceUid } = readReference(file, 'a result')
      await writeFileAtomically(join(directory, `${instanceUid}.dcm`), file)
      instanceUids.push(instanceUid)
    }
    return instanceUids
  }

  async *#deliver(row: SeriesRow): Events {
    const { pacs, signal } = this.#settings
    const results = this.#state.results(row.uid)
    for (const { instanceUid, stored } of results) {
      if (stored) continue
      const file = await readWhole(join(this.#resultsOf(row), `${instanceUid}.dcm`))
      const [outcome] = yield* followed(row, storeInstances(pacs!, [file], { signal }))
      if (!outcome!.stored) throw new JcsError('PACS_REFUSED', `${instanceUid}: ${outcome!.reason}`)
      this.#state.setStored(instanceUid)
    }
    await this.#finish(row, () => this.#state.setDone(row.uid))
    const { positive = false } = this.#state.find(row.uid)!
    yield { kind: 'done', ...watched(row), positive, results: results.length }
  }

  /** What lies on the disk of a series goes only after its state says that it is not needed. */
  async #finish(row: SeriesRow, note: () => void): Promise<void> {
    note()
    await rm(this.#directoryOf(row), { recursive: true, force: true })
  }

  #directoryOf(row: SeriesRow): string {
    return join(this.#settings.directory, 'series', nameOf(row))
  }

  #resultsOf(row: SeriesRow): string {
    return join(this.#directoryOf(row), 'results')
  }
}

/** Whether DICOM results can refer to it: the files of a folder may lack valid UIDs, and are diagnosed all the same. */
async function isReferable(scan: Case): Promise<boolean> {
  try {
    await requireDicomSource(scan)
    return true
  } catch (error) {
    if (error instanceof JcsError && error.code === 'INVALID_ARGUMENT') return false
    throw error
  }
}

async function* followed<T>(row: SeriesRow, run: Run<T>): Events<T> {
  for await (const progress of run) yield { kind: 'progress', ...watched(row), progress }
  return await run
}

function watched({ study, uid, instances }: SeriesRow): WatchedSeries {
  return { study, series: uid, instances }
}

/** Of a directory: UIDs of real files may hold anything. */
function nameOf({ uid }: SeriesRow): string {
  return isValidUid(uid) ? uid : createHash('sha256').update(uid).digest('hex').slice(0, 32)
}
