import type { Measurement } from './results'

/** What holds for all benchmarks of a run. */
export interface Settings {
  threads: number
  repetitions: number
  /** A Python that has torch; without one there is no such peer. */
  python?: string | undefined
}

/** A benchmark of which nothing happens before its turn. */
export interface Job {
  /** `inference/jcs-segmentation/1x512`: what `--only` looks for. */
  name: string
  /** Part of `--quick`. */
  quick: boolean
  /** One, or those that are measured together. */
  measure(): Promise<Measurement | Measurement[]>
}
