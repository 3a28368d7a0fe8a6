import type { Diagnosis } from '../run/results'

type Part = Exclude<keyof Diagnosis['timing'], 'decodeMs' | 'totalMs'>

/** What the parts of a diagnosis take. */
export class Stopwatch {
  readonly #startMs = performance.now()
  readonly #parts: Record<Part, number> = { classifyMs: 0, lungsMs: 0, segmentMs: 0, measureMs: 0 }
  #firstSliceMs = 0
  #decodeMs = 0

  firstSlice(): void {
    this.#firstSliceMs = performance.now()
  }

  lastSlice(): void {
    this.#decodeMs = performance.now() - this.#startMs
  }

  /** Waiting for the first slice is no part's time but decoding's. */
  async time<T>(part: Part, work: () => Promise<T>): Promise<T> {
    const startMs = performance.now()
    const result = await work()
    this.#parts[part] = performance.now() - Math.max(startMs, this.#firstSliceMs)
    return result
  }

  timing(): Diagnosis['timing'] {
    return { decodeMs: this.#decodeMs, ...this.#parts, totalMs: performance.now() - this.#startMs }
  }
}
