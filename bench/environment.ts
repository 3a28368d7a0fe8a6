import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { devices } from 'jcs-ct'

const root = join(__dirname, '..')

/** Where and with what figures were taken. Nothing in it tells whose machine it is. */
export interface Environment {
  date: string
  commit: string
  /** Whether sources differ from the commit. */
  modified: boolean
  cpu: string
  isa: string
  cores: number
  threads: number
  memoryGiB: number
  /** Of the last minute, before the first run: beyond 0.5 others were at work. */
  loadAverage: number
  versions: Record<string, string>
}

export function describeEnvironment(threads: number, pytorch: string | undefined): Environment {
  const cpu = devices().find(({ kind }) => kind === 'cpu')
  if (!cpu?.available) throw new Error(`the CPU backend cannot be used: ${cpu?.reason ?? 'it is not there'}`)
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: git('rev-parse', '--short=12', 'HEAD'),
    modified: git('status', '--porcelain', '--', 'native', 'ts', 'cmake') !== '',
    cpu: cpus()[0]?.model ?? 'unknown',
    isa: cpu.isa ?? 'unknown',
    cores: availableParallelism(),
    threads,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadAverage: Number((loadavg()[0] ?? 0).toFixed(2)),
    versions: {
      'jcs-ct': packageVersion('../package.json'),
      ...(cpu.library && { library: cpu.library }),
      'onnxruntime-node': packageVersion('onnxruntime-node/package.json'),
      ...(pytorch !== undefined && { pytorch }),
      node: process.versions.node,
    },
  }
}

const packageVersion = (path: string): string => (require(path) as { version: string }).version

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return 'unknown' // a copy without its history
  }
}
