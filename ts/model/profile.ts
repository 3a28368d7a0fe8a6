export interface ProfileOptions {
  /** Default 1. */
  batch?: number | undefined
  /** Default: the model's `inputSize`. */
  height?: number | undefined
  width?: number | undefined
}

/** One step of a compiled program and what it took in a warm run. */
export interface ProfileStep {
  op: string
  attributes: string
  /** The layer that it belongs to. */
  scope: string
  /** Which kernel did it. */
  implementation: string
  /** Shape of its first output. */
  output: string
  dtype: string
  flops: number
  /** Read and written. */
  bytes: number
  seconds: number
}

export interface Profile {
  steps: ProfileStep[]
  /** Memory for intermediate values. */
  arenaBytes: number
  /** Memory for what is derived from parameters; programs of other batches and sizes share most of it. */
  persistentBytes: number
  /** Moved without being computed on. */
  copiedBytes: number
}

/** What a device does at its best, measured: the roof under which steps are judged. */
export interface Peaks {
  /** Of a dense product, by the `dtype` of its operands. */
  flopsPerSecond: Record<string, number>
  /** To and from memory, beyond all caches. */
  bytesPerSecond: number
}
