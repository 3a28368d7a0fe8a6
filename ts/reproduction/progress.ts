import type { ProgressEvent } from '../run/progress'
import type { RunContext } from '../run/run'

/** The phase whose events say how far a step of the plan is. */
type Measure = 'train' | 'segment' | 'evaluate'

interface Step {
  cost: number
  measure: Measure
  /** What of it is done, 0 to 1. */
  share: number
}

/** How long a whole plan takes: what its steps cost beside each other is estimated, how fast they go is measured. */
export class PlanProgress {
  readonly #startMs = performance.now()
  /** Of what this call has not been through. */
  #costLeft: number
  #costDone = 0
  #step: Step | undefined

  constructor(cost: number) {
    this.#costLeft = cost
  }

  /** Until all is through; nothing is known before anything is done. */
  get etaMs(): number | undefined {
    const running = this.#step ? this.#step.cost * this.#step.share : 0
    const left = this.#costLeft - running
    if (left <= 0) return 0
    const done = this.#costDone + running
    return done > 0 ? ((performance.now() - this.#startMs) * left) / done : undefined
  }

  get isRunning(): boolean {
    return this.#step !== undefined
  }

  begin(cost: number, measure: Measure): void {
    this.#step = { cost, measure, share: 0 }
  }

  /** A step of which nothing was seen was done by an earlier call: it says nothing of how fast this one is. */
  end(): void {
    const { cost = 0, share = 0 } = this.#step ?? {}
    if (share > 0) this.#costDone += cost
    this.#costLeft -= cost
    this.#step = undefined
  }

  async during<T>(cost: number, measure: Measure, work: () => Promise<T>): Promise<T> {
    this.begin(cost, measure)
    const result = await work()
    this.end()
    return result
  }

  /** The event with the time that is left of the whole plan instead of its own. */
  of(event: ProgressEvent): ProgressEvent {
    if (event.kind === 'slice') return event
    const { etaMs: _, ...rest } = event
    const { phase, done, total } = rest
    // JCS trains its classifier first, and then begins anew: what is done stays done.
    if (phase === this.#step?.measure && total)
      this.#step.share = Math.max(this.#step.share, Math.min(done / total, 1))
    const { etaMs } = this
    return etaMs === undefined ? rest : { ...rest, etaMs }
  }

  /** The context for work whose events are told as of the whole plan. */
  within(context: RunContext): RunContext {
    return {
      signal: context.signal,
      emit: (event) => context.emit(this.of(event)),
      throwIfCancelled: () => context.throwIfCancelled(),
    }
  }
}
