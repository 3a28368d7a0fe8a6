import type { ProgressEvent } from '../run/progress'

/** Events of one phase that are kept at most; curves of more points show no more. */
const keptPerPhase = 2000

/** Every `stride`-th event of a phase. */
class Series {
  readonly events: { order: number; event: ProgressEvent }[] = []
  #stride = 1
  #seen = 0

  push(order: number, event: ProgressEvent): void {
    if (this.#seen++ % this.#stride !== 0) return
    this.events.push({ order, event })
    if (this.events.length < keptPerPhase) return
    this.#stride *= 2
    const kept = this.events.filter((_, index) => index % 2 === 0)
    this.events.splice(0, this.events.length, ...kept)
  }
}

/** The course of a training run: all events of short runs, evenly thinned ones of long runs, the last of each phase always. */
export class History {
  readonly #series = new Map<string, Series>()
  readonly #last = new Map<string, { order: number; event: ProgressEvent }>()
  #order = 0

  push(event: ProgressEvent): void {
    const order = this.#order++
    this.#last.set(event.phase, { order, event })
    const series = this.#series.get(event.phase) ?? new Series()
    this.#series.set(event.phase, series)
    series.push(order, event)
  }

  events(): ProgressEvent[] {
    const kept = new Map<number, ProgressEvent>()
    for (const { events } of this.#series.values())
      for (const { order, event } of events) kept.set(order, event)
    for (const { order, event } of this.#last.values()) kept.set(order, event)
    return [...kept].sort(([a], [b]) => a - b).map(([, event]) => event)
  }
}
