import type { JcsErrorCode } from '../base/errors'
import type { ProgressEvent } from '../run/progress'
import type { SeriesState } from './state'

/** A series that is watched. */
export interface WatchedSeries {
  /** StudyInstanceUID; empty in a folder. */
  study: string
  /** SeriesInstanceUID. */
  series: string
  /** How many instances, or slices, it has now. */
  instances: number
}

/** What a watch does, told apart by `kind`. */
export type WatchEvent =
  /** A series is new, or has other instances than before: it waits until that does not change any more. */
  | ({ kind: 'found' } & WatchedSeries)
  /** It is no chest CT, and is left; `reason` is a full sentence. */
  | ({ kind: 'left'; reason: string } & WatchedSeries)
  | ({ kind: 'started' } & WatchedSeries)
  | ({ kind: 'progress'; progress: ProgressEvent } & WatchedSeries)
  /** Its results are on this disk. */
  | ({ kind: 'diagnosed'; positive: boolean } & WatchedSeries)
  /** Its results are where they belong; `results`: as many instances were stored with the study. */
  | ({ kind: 'done'; positive: boolean; results: number } & WatchedSeries)
  /** It could not be diagnosed or stored, and is tried again, unless `isFinal`. */
  | ({ kind: 'failed'; code: JcsErrorCode; message: string; isFinal: boolean } & WatchedSeries)
  /** Where series come from, or results go to, cannot be reached; nothing is lost, and it is asked again. */
  | { kind: 'away'; code: JcsErrorCode; message: string; retryMs: number }
  /** Nothing is to be done now; how many series stand where. */
  | { kind: 'idle'; counts: Record<SeriesState, number> }
