import { untilAborted } from './abort'

/**
 * Runs tasks up to `concurrency` at a time, ahead of the consumer, and gives their results in the order of the tasks.
 * Rejects as CANCELLED as soon as `signal` aborts.
 */
export async function* runAhead<T>(
  tasks: Iterable<() => Promise<T>> | AsyncIterable<() => Promise<T>>,
  concurrency: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  const underway: Promise<T>[] = []
  for await (const task of withFailureLast(tasks)) {
    const result = task()
    // A failure is met when its turn comes; one behind it must not count as unhandled meanwhile.
    result.catch(() => {})
    underway.push(result)
    if (underway.length >= concurrency) yield await untilAborted(underway.shift()!, signal)
  }
  for (const result of underway) yield await untilAborted(result, signal)
}

/** Turns a failure of the iterable itself into a task, so that what was started before it is still given. */
async function* withFailureLast<T>(
  tasks: Iterable<() => Promise<T>> | AsyncIterable<() => Promise<T>>,
): AsyncGenerator<() => Promise<T>, void, undefined> {
  try {
    yield* tasks
  } catch (error) {
    yield () => Promise.reject(error)
  }
}

/**
 * As `runAhead`, but tasks that are underway when one fails, or when the consumer leaves, are aborted, and have ended when
 * this ends: for tasks that would leave something half done behind.
 */
export async function* runUntilFailure<T>(
  tasks: readonly ((signal: AbortSignal) => Promise<T>)[],
  concurrency: number,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const started: Promise<T>[] = []
  const start = (task: (typeof tasks)[number]) => () => {
    const result = task(either)
    started.push(result)
    return result
  }
  try {
    yield* runAhead(tasks.map(start), concurrency, signal)
  } finally {
    stop.abort()
    await Promise.allSettled(started)
  }
}
