import { callNativeNow } from './native'

/** A device that there is or could be. */
export interface DeviceInfo {
  /** What `device` options take: `cpu`, `cuda:0`. */
  name: string
  kind: 'cpu' | 'cuda'
  available: boolean
  /** Why it cannot be used, and what to do. */
  reason?: string
  /** The hardware's own name. */
  description?: string
  /** Instruction set or compute capability that kernels are chosen for. */
  isa?: string
  /** The library that the kernels come from, with its version. */
  library?: string
  memoryBytes?: number
  /** Threads that the CPU backend uses unless told otherwise. */
  threads?: number
  /** Whether `bf16` is faster than `fp32` here. */
  bf16?: boolean
  /** Whether 8-bit products are fast here: a model that was quantised then computes in them. */
  int8?: boolean
  /** Whether `tf32` is faster than `fp32` here. */
  tf32?: boolean
}

/** Every device, also those that cannot be used, with the reason. */
export function devices(): DeviceInfo[] {
  return JSON.parse(callNativeNow((native) => native.devices())) as DeviceInfo[]
}
