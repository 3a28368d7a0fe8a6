import type { ProgressEvent } from './progress'

/** Slice results that one iterator may leave unread before the work waits for it. */
const maxUnreadSlices = 64

type Result = IteratorResult<ProgressEvent, undefined>

/**
 * The events that one iterator of a Run has not read yet. Bounded: of progress it keeps the newest event of each phase,
 * and for slice results, which it must not drop, `drained()` asks the work to wait.
 */
export class EventQueue {
  #events: ProgressEvent[] = []
  #unreadSlices = 0
  #waiters: { resolve(result: Result): void; reject(error: unknown): void }[] = []
  #drained: { promise: Promise<void>; resolve(): void } | undefined
  #end: { error?: unknown } | undefined
  #released = false

  push(event: ProgressEvent): void {
    if (this.#end) return
    const waiter = this.#waiters.shift()
    if (waiter) {
      waiter.resolve({ done: false, value: event })
      return
    }
    if (event.kind === 'slice') {
      this.#unreadSlices++
    } else {
      this.#events = this.#events.filter((unread) => unread.kind === 'slice' || unread.phase !== event.phase)
    }
    this.#events.push(event)
  }

  next(): Promise<Result> {
    const event = this.#events.shift()
    if (event) {
      if (event.kind === 'slice') this.#unreadSlices--
      if (this.#unreadSlices < maxUnreadSlices) this.#resume()
      return Promise.resolve({ done: false, value: event })
    }
    if (!this.#end) return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
    if (!('error' in this.#end)) return Promise.resolve({ done: true, value: undefined })
    const { error } = this.#end
    this.#end = {}
    return Promise.reject(error)
  }

  /** A promise while too many slice results are unread. It also resolves when their reader goes away. */
  drained(): Promise<void> | undefined {
    if (this.#released || this.#end || this.#unreadSlices < maxUnreadSlices) return undefined
    if (!this.#drained) {
      let resolve = () => {}
      const promise = new Promise<void>((done) => {
        resolve = done
      })
      this.#drained = { promise, resolve }
    }
    return this.#drained.promise
  }

  /** From now on the work does not wait for this queue. */
  release(): void {
    this.#released = true
    this.#resume()
  }

  /** No event follows. What is unread can still be read; after it comes the error, once, if there is one. */
  end(outcome: { error?: unknown }): void {
    if (this.#end) return
    this.#end = outcome
    this.#resume()
    for (const waiter of this.#waiters.splice(0)) this.next().then(waiter.resolve, waiter.reject)
  }

  /** The reader has gone: forgets everything. */
  leave(): void {
    this.#events = []
    this.#unreadSlices = 0
    this.#end = undefined
    this.end({})
  }

  #resume(): void {
    this.#drained?.resolve()
    this.#drained = undefined
  }
}
