/** What came of many files. */
export interface Fuzzed {
  /** As many as were asked for, unless one failed. */
  done: number
  /** Pieces of code that ran: edges between blocks of native code, blocks of TypeScript. */
  pieces: number
  /** A sentence each, with the file that did it. */
  failures: string[]
}

export interface FuzzTask {
  /** Where everything is kept. */
  build: string
  name: string
  runs: number
  seed: number
}
