import { setMaxListeners } from 'node:events'
import { cancelled, throwIfAborted } from '../base/abort'
import { EventQueue } from './event-queue'
import type { ProgressEvent } from './progress'

export interface RunOptions {
  /** Aborting it cancels the run. */
  signal?: AbortSignal | undefined
  /** Called with every event, in order, as it happens. What it throws stops the run and becomes its error. */
  onProgress?: ((event: ProgressEvent) => void) | undefined
}

/** What the work of a run is given. */
export interface RunContext {
  /** Aborts when the run is cancelled, whoever cancels it. */
  readonly signal: AbortSignal
  /**
   * Reports an event. Events of kind 'slice' are never dropped; for them a promise comes back while some iterator has
   * fallen far behind, and the work should await it. Progress is coalesced and never needs waiting for.
   */
  emit(event: ProgressEvent): void | Promise<void>
  throwIfCancelled(): void
}

/**
 * The work of a run. It should stop soon after `signal` aborts; a value that it returns nevertheless is dropped, so it
 * releases what that value would own.
 */
export type RunExecutor<T> = (context: RunContext) => Promise<T>

/**
 * Work that has started: a promise of its result and a stream of its progress.
 *
 * - `await run` gives the result. `for await (const event of run)` streams progress, and several loops may run at once.
 *   Both may be used; a failure surfaces through each of them, and is an unhandled rejection only when neither is used.
 * - A loop that is slower than the work sees the newest event of each phase. Slice results are never dropped: a run
 *   whose only consumers are loops waits for the slowest of them.
 * - `cancel()`, the AbortSignal and leaving a loop early all cancel. The result then rejects with the code `CANCELLED`
 *   once the work has really stopped (`break` waits for that as well); a cancelled result that nobody awaits is not an
 *   unhandled rejection.
 *
 * A Run is thenable: an `async` function that returns one returns the result, not the Run.
 */
export class Run<T> implements Promise<T>, AsyncIterable<ProgressEvent> {
  readonly [Symbol.toStringTag] = 'Run'
  readonly #controller = new AbortController()
  readonly #onProgress: RunOptions['onProgress']
  readonly #result: Promise<T>
  readonly #queues = new Set<EventQueue>()
  /** For iterators that start later. */
  #latest: ProgressEvent | undefined
  #outcome: { error?: unknown } | undefined
  #callbackFailure: { error: unknown } | undefined
  #resultIsAwaited = false

  /** Starts `executor` at once, unless `options.signal` is aborted already. */
  constructor(executor: RunExecutor<T>, options: RunOptions = {}) {
    const { signal, onProgress } = options
    this.#onProgress = onProgress
    // Everything that works at the same time listens, however many that are: no leak to be warned of.
    setMaxListeners(0, this.#controller.signal)
    const onAbort = () => this.cancel(signal?.reason)
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })

    const work = this.#work(executor)
    this.#result = new Promise((resolve, reject) => {
      work.then(
        (value) => {
          this.#settle({})
          resolve(value)
        },
        (error) => {
          this.#settle({ error })
          reject(error)
          // Whoever cancelled knows; only failures may become unhandled rejections.
          if (this.#wasCancelled()) this.#markHandled()
        },
      )
    })
    const removeListener = () => signal?.removeEventListener('abort', onAbort)
    work.then(removeListener, removeListener)
  }

  // biome-ignore lint/suspicious/noThenProperty: a Run is a promise of its result.
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    // The result has a consumer now, so the work must not wait for an iterator, which may have been abandoned midway.
    // The slice results that pile up in its queue are the ones that the result holds as well.
    this.#resultIsAwaited = true
    this.#releaseQueues()
    return this.#result.then(onFulfilled, onRejected)
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, onRejected)
  }

  finally(onFinally?: (() => void) | null): Promise<T> {
    return this.then().finally(onFinally)
  }

  /** Stops the work as soon as it can stop; the result then rejects with `CANCELLED` and `reason` as its cause. */
  cancel(reason?: unknown): void {
    if (this.#outcome) return
    this.#controller.abort(reason)
    this.#releaseQueues()
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ProgressEvent, undefined> {
    const queue = new EventQueue()
    if (this.#latest) queue.push(this.#latest)
    if (this.#resultIsAwaited) queue.release()
    if (this.#outcome) queue.end(this.#outcome)
    else this.#queues.add(queue)

    const leave = async () => {
      queue.leave()
      this.#queues.delete(queue)
      if (this.#outcome) return
      this.cancel('a loop over the progress was left early')
      await this.#result.catch(() => {})
    }
    return {
      next: () => {
        this.#markHandled()
        return queue.next()
      },
      return: async () => {
        await leave()
        return { done: true, value: undefined }
      },
      throw: async (error) => {
        await leave()
        throw error
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  async #work(executor: RunExecutor<T>): Promise<T> {
    const { signal } = this.#controller
    const throwIfCancelled = () => throwIfAborted(signal)
    try {
      throwIfCancelled()
      const value = await executor({ signal, emit: (event) => this.#emit(event), throwIfCancelled })
      throwIfCancelled()
      return value
    } catch (error) {
      if (this.#callbackFailure) throw this.#callbackFailure.error
      throw signal.aborted ? cancelled(signal.reason) : error
    }
  }

  #emit(event: ProgressEvent): void | Promise<void> {
    if (this.#outcome || this.#controller.signal.aborted) return
    this.#latest = event
    for (const queue of this.#queues) queue.push(event)
    try {
      this.#onProgress?.(event)
    } catch (error) {
      this.#callbackFailure = { error }
      this.cancel(error)
      return
    }
    if (event.kind !== 'slice') return
    const waits = [...this.#queues].flatMap((queue) => queue.drained() ?? [])
    if (waits.length > 0) return Promise.all(waits).then(() => {})
  }

  #settle(outcome: { error?: unknown }): void {
    this.#outcome = outcome
    for (const queue of this.#queues) queue.end(outcome)
    this.#queues.clear()
  }

  #wasCancelled(): boolean {
    return this.#controller.signal.aborted && !this.#callbackFailure
  }

  #markHandled(): void {
    this.#result.catch(() => {})
  }

  #releaseQueues(): void {
    for (const queue of this.#queues) queue.release()
  }
}
