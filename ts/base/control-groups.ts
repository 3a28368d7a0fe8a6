import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Limits of the process's control groups and those around them, which a container sets and Node.js leaves out. */

const membershipFile = '/proc/self/cgroup'
const mountFolder = '/sys/fs/cgroup'

/**
 * The smallest quota in processors, infinite where none is set.
 *
 * @param membership what /proc/self/cgroup is
 * @param mount where control groups are, version 2 as `cpu.max`, version 1 below `cpu` as `cpu.cfs_quota_us`
 */
export function cpuQuota(membership = membershipFile, mount = mountFolder): number {
  return smallest(membership, mount, {
    controller: 'cpu',
    version1: (folder) =>
      quotaOf(`${read(join(folder, 'cpu.cfs_quota_us'))} ${read(join(folder, 'cpu.cfs_period_us'))}`),
    version2: (folder) => quotaOf(read(join(folder, 'cpu.max'))),
  })
}

/** The smallest limit of memory, in bytes; infinite where none is set. Parameters are those of `cpuQuota`. */
export function memoryLimitBytes(membership = membershipFile, mount = mountFolder): number {
  return smallest(membership, mount, {
    controller: 'memory',
    version1: (folder) => bytesOf(read(join(folder, 'memory.limit_in_bytes'))),
    version2: (folder) => bytesOf(read(join(folder, 'memory.max'))),
  })
}

interface Limit {
  controller: string
  version1(folder: string): number
  version2(folder: string): number
}

function smallest(membership: string, mount: string, { controller, version1, version2 }: Limit): number {
  const limits = (read(membership)?.split('\n') ?? []).flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):\/?(.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) return []
    if (controllers === '') return ancestors(path).map((each) => version2(join(mount, each)))
    if (!controllers.split(',').includes(controller)) return []
    return ancestors(path).map((each) => version1(join(mount, controller, each)))
  })
  return Math.min(Number.POSITIVE_INFINITY, ...limits)
}

/** The folder itself and all above it; inside a container the outer ones are often not there. */
function ancestors(path: string): string[] {
  return path === '' || path === '.' ? ['.'] : [path, ...ancestors(dirname(path))]
}

/** `limit period`, both in microseconds; `max`, -1 and what is no number are no limit. */
function quotaOf(text: string | undefined): number {
  const [limit = 0, period = 0] = (text ?? '').trim().split(/\s+/).map(Number)
  return limit > 0 && period > 0 ? limit / period : Number.POSITIVE_INFINITY
}

/** `max`, and what version 1 has for it, all of the address space, are no limit. */
function bytesOf(text: string | undefined): number {
  const bytes = Number(text?.trim() || Number.NaN)
  return bytes > 0 && bytes < 2 ** 60 ? bytes : Number.POSITIVE_INFINITY
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
