import type { DeviceInfo } from '../devices'

/** Where prepared weights are kept for other processes. */
export interface PreparedFolder {
  /** Empty where there is no cache. */
  path: string
  /** 0: nothing is to be kept. */
  limitBytes: number
  /** Whether something can be kept. */
  isUsable: boolean
  files: number
  bytes: number
}

/** What the probe says of each part, in the order in which it tries them. */
export interface ProbedResults {
  addon: { path: string; devices: DeviceInfo[] }
  'prepared weights': PreparedFolder
  network: { precision: string; probability: number }
  pictures: { library: string }
  models: { name: string; network: string }[]
}

export type ProbedPart = keyof ProbedResults

export const probedParts: readonly ProbedPart[] = [
  'addon',
  'prepared weights',
  'network',
  'pictures',
  'models',
]

/** Of a part that failed, or with which its process ended. */
export interface ProbeError {
  code?: string
  message: string
}

export type Probed = { [Part in ProbedPart]: { result: ProbedResults[Part] } | { error: ProbeError } }
