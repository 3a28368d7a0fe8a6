export interface ProfileOptions {
  /** Default 1. */
  batch?: number | undefined
  /** Default: the model's `inputSize`. */
  height?: number | undefined
  width?: number | undefined
  /**
   * Also times, of every convolution, what else the device could compute it with: other kernels, and kernels of other
   * precisions. Takes seconds. Default false.
   */
  alternatives?: boolean | undefined
}

/** Another kernel that could compute a step, in its precision or another one. */
export interface Alternative {
  implementation: string
  /** Of the step's activations, were it taken: `u8` is what a quantised layer reads and writes. */
  dtype: string
  /** What the step's own kernel takes over what this one takes, both alone and warm. */
  speedup: number
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
  /** Of the plain sum. */
  flops: number
  /** What the kernel's algorithm takes of them: Winograd's a quarter. */
  kernelFlops: number
  /** Of the operands that it multiplies. */
  kernelDtype: string
  /** Read and written. */
  bytes: number
  seconds: number
  /** The fastest first; where they were asked for. */
  alternatives?: Alternative[] | undefined
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
