import type { Run, RunContext, RunOptions } from './run'

/** Does a part of a run: its events are the whole's, for which it waits likewise, and it is cancelled with the whole. */
export async function runPart<T>(
  { signal, emit }: RunContext,
  start: (options: RunOptions) => Run<T>,
): Promise<T> {
  const run = start({ signal })
  for await (const event of run) await emit(event)
  return run
}
