import type { ProgressEvent } from '../run/progress'

/** How long all trainings of all networks take, from those that are through. */
export class PlanProgress {
  readonly #total: number
  #network = ''
  #trainings = 0
  /** Of the networks before. */
  #before = 0
  #done = 0
  #startMs: number | undefined
  #durationsMs: number[] = []

  constructor(total: number) {
    this.#total = total
  }

  /** Another network is begun, which is trained so many times. */
  start(network: string, trainings: number): void {
    this.#network = network
    this.#trainings = trainings
    this.#before = this.#done
  }

  /** The event of a network's cross-validation as one of the whole plan, with the time that is left of all of it. */
  of(event: ProgressEvent): ProgressEvent {
    if (event.kind === 'slice') return event
    if (event.phase === 'cross-validate') {
      this.#done = this.#before + event.done
      this.#keepTime(event.metrics !== undefined)
      const { done: _, total: __, etaMs: ___, phase: ____, ...rest } = event
      const etaMs = this.#leftMs()
      return {
        ...rest,
        phase: 'reproduce',
        network: this.#network,
        done: this.#done,
        total: this.#total,
        ...(etaMs !== undefined && { etaMs }),
      }
    }
    if (event.phase !== 'train' || event.etaMs === undefined) return event
    const leftMs = this.#leftMs()
    if (leftMs !== undefined) return { ...event, etaMs: Math.max(leftMs - this.#sinceStartMs(), 0) }
    // No training is through: the event has the time of all that are left of this network.
    const leftHere = this.#before + this.#trainings - this.#done
    return { ...event, etaMs: (event.etaMs * (this.#total - this.#done)) / leftHere }
  }

  #keepTime(isThrough: boolean): void {
    if (isThrough && this.#startMs !== undefined) this.#durationsMs.push(this.#sinceStartMs())
    this.#startMs = isThrough ? undefined : performance.now()
  }

  #sinceStartMs(): number {
    return this.#startMs === undefined ? 0 : performance.now() - this.#startMs
  }

  #leftMs(): number | undefined {
    if (this.#done === this.#total) return 0
    if (this.#durationsMs.length === 0) return undefined
    const meanMs = this.#durationsMs.reduce((sum, ms) => sum + ms, 0) / this.#durationsMs.length
    return meanMs * (this.#total - this.#done)
  }
}
