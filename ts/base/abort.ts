import { setTimeout as sleep } from 'node:timers/promises'
import { JcsError } from './errors'

export function cancelled(reason?: unknown): JcsError {
  // The reason of a plain `controller.abort()` only repeats that it was aborted.
  const isPlainAbort = reason instanceof Error && reason.name === 'AbortError'
  const detail =
    reason === undefined || isPlainAbort
      ? ''
      : `: ${reason instanceof Error ? reason.message : String(reason)}`
  return new JcsError('CANCELLED', `cancelled by the caller${detail}`, { cause: reason })
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled(signal.reason)
}

/** Waits, and rejects as CANCELLED as soon as `signal` aborts. */
export async function waitUntilAborted(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal && { signal }).catch(() => {})
  throwIfAborted(signal)
}

/** Settles like `promise`, or rejects as CANCELLED as soon as `signal` aborts, whatever the promise then does. */
export function untilAborted<T>(promise: PromiseLike<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return Promise.resolve(promise)
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(cancelled(signal.reason))
    const finish = () => signal.removeEventListener('abort', onAbort)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).then(finish)
    if (signal.aborted) onAbort()
  })
}

/** The items of any iterable, until `signal` aborts: an iterator that hangs is then left behind. */
export async function* iterateUntilAborted<T>(
  items: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  let isExhausted = false
  try {
    while (true) {
      throwIfAborted(signal)
      const { done, value } = await untilAborted(Promise.resolve(iterator.next()), signal)
      if (done) {
        isExhausted = true
        return
      }
      yield value
    }
  } finally {
    // Not awaited: an iterator that is stuck in next() would never answer.
    if (!isExhausted) Promise.resolve(iterator.return?.()).catch(() => {})
  }
}
