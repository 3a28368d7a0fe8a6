import { statfs } from 'node:fs/promises'
import { availableParallelism, cpus, freemem, tmpdir, totalmem } from 'node:os'
import { availableThreads } from '../base/available-threads'
import { cpuQuota, memoryLimitBytes } from '../base/control-groups'
import { version } from '../base/version'
import { makeWritableDirectory } from '../base/write-files'
import { type Finding, gibibytes } from './finding'

/** What the addon is built against. */
const napiVersion = 8
const nodeVersion = [20, 9] as const
/** Diagnosing three hundred slices of 512² with the shipped models takes less. */
const wantedMemoryBytes = 2 ** 30
/** Slices of a case beyond the first 256 MiB. */
const wantedDiskBytes = 2 ** 30

export interface Runtime {
  node: string
  napi: string
  platform: string
  arch: string
  /** Undefined where the C library is another one, or the system has none. */
  glibc: string | undefined
}

export function thisRuntime(): Runtime {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  const { node, napi = '0' } = process.versions
  return { node, napi, platform: process.platform, arch: process.arch, glibc: header.glibcVersionRuntime }
}

export function examineRuntime({ node, napi, platform, arch, glibc }: Runtime): Finding {
  const [major = 0, minor = 0] = node.split('.').map(Number)
  const isNew = major > nodeVersion[0] || (major === nodeVersion[0] && minor >= nodeVersion[1])
  const libc = platform === 'linux' ? (glibc ? `, glibc ${glibc}` : ', another C library than glibc') : ''
  const found = `Node.js ${node} (N-API ${napi}) on ${platform}-${arch}${libc}; jcs-ct ${version}`
  if (!isNew || Number(napi) < napiVersion)
    return {
      what: 'runtime',
      state: 'error',
      found,
      remedy: `Install Node.js ${nodeVersion.join('.')} or newer.`,
    }
  if (platform !== 'linux' || arch !== 'x64' || !glibc)
    return {
      what: 'runtime',
      state: 'error',
      found,
      remedy:
        'Prebuilt addons are for Linux x64 with glibc; use a container of such a system, node:22-slim for one.',
    }
  return { what: 'runtime', state: 'ok', found }
}

export interface Processors {
  /** Of the machine. */
  present: number
  /** That the process may run on. */
  allowed: number
  /** Of control groups, in processors. */
  quota: number
  /** Threads that are used. */
  threads: number
}

export const theseProcessors = (): Processors => ({
  present: cpus().length,
  allowed: availableParallelism(),
  quota: cpuQuota(),
  threads: availableThreads(),
})

export function examineThreads({ present, allowed, quota, threads }: Processors): Finding {
  const limits = [
    ...(allowed < present ? [`the process is held to ${allowed}`] : []),
    ...(quota < allowed ? [`its container to the time of ${quota}`] : []),
  ]
  const found = `${threads} of ${present} processors${limits.length > 0 ? `: ${limits.join(', ')}` : ''}`
  if (quota < allowed && !Number.isInteger(quota))
    return {
      what: 'threads',
      state: 'warning',
      found,
      remedy:
        'Give the container whole processors: with a fraction of one, all threads stand still for a part of each tenth of a second.',
    }
  return { what: 'threads', state: 'ok', found }
}

export interface Memory {
  totalBytes: number
  freeBytes: number
  /** Of control groups. */
  limitBytes: number
}

export const thisMemory = (): Memory => ({
  totalBytes: totalmem(),
  freeBytes: freemem(),
  limitBytes: memoryLimitBytes(),
})

export function examineMemory({ totalBytes, freeBytes, limitBytes }: Memory): Finding {
  const isLimited = limitBytes < totalBytes
  const found = `${gibibytes(freeBytes)} of ${gibibytes(totalBytes)} free${isLimited ? `, the container is held to ${gibibytes(limitBytes)}` : ''}`
  if (Math.min(freeBytes, limitBytes) < wantedMemoryBytes)
    return {
      what: 'memory',
      state: 'warning',
      found,
      remedy: `Give the process ${gibibytes(wantedMemoryBytes)}, networks of full width twice as much; or have \`memoryLimitBytes\` refuse what does not fit.`,
    }
  return { what: 'memory', state: 'ok', found }
}

/** Where slices go that do not fit into memory. */
export async function examineTemporaryDirectory(directory = tmpdir()): Promise<Finding> {
  const what = 'temporary files'
  const remedy = 'Let TMPDIR name a directory with room, on a local disk.'
  try {
    await makeWritableDirectory(directory)
    const { bavail, bsize } = await statfs(directory)
    const found = `${directory} has ${gibibytes(bavail * bsize)} free`
    return bavail * bsize < wantedDiskBytes
      ? { what, state: 'warning', found, remedy }
      : { what, state: 'ok', found }
  } catch (error) {
    return { what, state: 'error', found: (error as Error).message, remedy }
  }
}

/** Variables that change what networks run on, and are easily forgotten. */
export function examineEnvironment(environment: NodeJS.ProcessEnv = process.env): Finding[] {
  const { ONEDNN_MAX_CPU_ISA: isa } = environment
  if (isa === undefined) return []
  return [
    {
      what: 'environment',
      state: 'warning',
      found: `ONEDNN_MAX_CPU_ISA=${isa} holds oneDNN to that instruction set`,
      remedy: 'Unset ONEDNN_MAX_CPU_ISA, unless it is meant.',
    },
  ]
}
