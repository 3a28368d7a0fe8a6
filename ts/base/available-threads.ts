import { availableParallelism } from 'node:os'
import { cpuQuota } from './control-groups'

/**
 * Threads that this process may keep busy: its processors, or the quota of its container where that is less, which
 * Node.js leaves out. The CPU backend counts its own in the same way.
 */
export function availableThreads(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(cpuQuota())))
}
