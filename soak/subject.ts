/** What was tried often. */
export interface Outcome {
  /** As many times as were asked for, unless something failed. */
  done: number
  /** A sentence each; none when everything held. */
  failures: string[]
  /** What else was seen, by a name with its unit. */
  figures?: Record<string, number>
}

/** A promise that only repetition can test. */
export interface Subject {
  name: string
  /** What is repeated, and what holds every time. */
  promise: string
  /** How often in CI, and how often where it is the matter. */
  times: { short: number; full: number }
  run(times: number, onProgress: (done: number) => void): Promise<Outcome>
}
