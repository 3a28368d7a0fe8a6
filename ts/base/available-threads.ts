import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'

/**
 * Threads that this process may keep busy: its processors, or the quota of its container where that is less, which
 * Node.js leaves out. The CPU backend counts its own in the same way.
 */
export function availableThreads(): number {
  return Math.max(
    1,
    Math.min(availableParallelism(), Math.ceil(cpuQuota('/proc/self/cgroup', '/sys/fs/cgroup'))),
  )
}

/**
 * The smallest quota, in processors, of the process's control groups and those around them; infinite where none is set.
 *
 * @param membership what /proc/self/cgroup is
 * @param mount where control groups are, version 2 as `cpu.max`, version 1 below `cpu` as `cpu.cfs_quota_us`
 */
export function cpuQuota(membership: string, mount: string): number {
  const quotas = (read(membership)?.split('\n') ?? []).flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):\/?(.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) return []
    if (controllers === '') return ancestors(path).map((each) => quotaOf(read(join(mount, each, 'cpu.max'))))
    if (!controllers.split(',').includes('cpu')) return []
    return ancestors(path).map((each) => {
      const folder = join(mount, 'cpu', each)
      return quotaOf(`${read(join(folder, 'cpu.cfs_quota_us'))} ${read(join(folder, 'cpu.cfs_period_us'))}`)
    })
  })
  return Math.min(Number.POSITIVE_INFINITY, ...quotas)
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

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
