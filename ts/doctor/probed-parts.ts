import type { DeviceInfo } from '../devices'

/** What the probe says of each part, in the order in which it tries them. */
export interface ProbedResults {
  addon: { path: string; devices: DeviceInfo[] }
  network: { precision: string; probability: number }
  pictures: { library: string }
  models: { name: string; network: string }[]
}

export type ProbedPart = keyof ProbedResults

export const probedParts: readonly ProbedPart[] = ['addon', 'network', 'pictures', 'models']

/** Of a part that failed, or with which its process ended. */
export interface ProbeError {
  code?: string
  message: string
}

export type Probed = { [Part in ProbedPart]: { result: ProbedResults[Part] } | { error: ProbeError } }
