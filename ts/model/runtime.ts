import { requireOneOf, requireWhole } from '../base/check'
import { JcsError } from '../base/errors'

/** `auto` takes a GPU where one is usable and says in `model.device` what it took; a device by name is that or an error. */
export type DeviceName = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`

/**
 * `auto` is the fastest that keeps the network's accuracy on the device; what is really used is `model.precision`.
 * `int8` takes a model that was quantised, and computes its layers in 8 bits on any CPU; `auto` does that where it is
 * fast.
 */
export type Precision = 'auto' | 'fp32' | 'tf32' | 'bf16' | 'int8'

export interface RuntimeOptions {
  /** Default `auto`. */
  device?: DeviceName | undefined
  /** Default `auto`. One that the device lacks falls back to float32. */
  precision?: Precision | undefined
  /** Threads of the CPU backend. Default: as many as the process may use. */
  threads?: number | undefined
  /**
   * Most memory that this process may hold on the device, over all its models; the last one given counts. What does not
   * fit ends as `OUT_OF_MEMORY`. Default: what the device has.
   */
  memoryLimitBytes?: number | undefined
}

/** The names of all runtime options. */
export const runtimeOptionNames = ['device', 'precision', 'threads', 'memoryLimitBytes'] as const

const precisions: readonly Precision[] = ['auto', 'fp32', 'tf32', 'bf16', 'int8']

/** The runtime options among `options`, checked, without those that were not given. */
export function takeRuntimeOptions(options: RuntimeOptions): RuntimeOptions {
  const { device, precision, threads, memoryLimitBytes } = options
  if (device !== undefined && !(typeof device === 'string' && /^(auto|cpu|cuda(:\d+)?)$/.test(device))) {
    throw new JcsError(
      typeof device === 'string' ? 'INVALID_ARGUMENT' : 'INVALID_TYPE',
      `device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got ${JSON.stringify(device)}`,
    )
  }
  if (precision !== undefined) requireOneOf('precision', precision, precisions)
  if (threads !== undefined) requireWhole('threads', threads, 1, 1024)
  if (memoryLimitBytes !== undefined) requireWhole('memoryLimitBytes', memoryLimitBytes, 1)
  return {
    ...(device !== undefined && { device }),
    ...(precision !== undefined && { precision }),
    ...(threads !== undefined && { threads }),
    ...(memoryLimitBytes !== undefined && { memoryLimitBytes }),
  }
}
