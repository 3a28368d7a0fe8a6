import type { ProgressEvent } from '../run/progress'

/** How long all trainings of a plan take, from those that are through and the one that runs. */
export class PlanEta {
  readonly #total: number
  #left: number
  #durationsMs: number[] = []
  #startMs = performance.now()

  /** `total` trainings are to be done, now. */
  constructor(total: number) {
    this.#total = total
    this.#left = total
  }

  start(): void {
    this.#startMs = performance.now()
  }

  finish(): void {
    this.#durationsMs.push(performance.now() - this.#startMs)
    this.#left--
  }

  /** Until all are through, from those that are; nothing is known before the first of them. */
  get leftMs(): number | undefined {
    return this.#left === this.#total ? undefined : this.#left * this.#meanMs(0)
  }

  /** The event with the time that is left of the whole plan instead of that of its training. */
  of(event: ProgressEvent): ProgressEvent {
    if (event.kind === 'slice' || event.phase !== 'train' || event.etaMs === undefined) return event
    return { ...event, etaMs: event.etaMs + (this.#left - 1) * this.#meanMs(event.etaMs) }
  }

  #meanMs(currentEtaMs: number): number {
    if (this.#durationsMs.length === 0) return performance.now() - this.#startMs + currentEtaMs
    return this.#durationsMs.reduce((sum, ms) => sum + ms, 0) / this.#durationsMs.length
  }
}
