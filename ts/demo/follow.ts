import type { ProgressEvent } from '../run/progress'
import type { Run } from '../run/run'

/** Follows a run, whoever shows its progress, and gives its result. */
export type Follow = <T>(
  start: (controls: { signal: AbortSignal; onProgress(event: ProgressEvent): void }) => Run<T>,
) => Promise<T>
