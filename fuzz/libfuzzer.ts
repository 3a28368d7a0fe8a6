import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Fuzzed, FuzzTask } from './outcome'

/** An input that takes longer hangs. */
const longestSeconds = 20

/** The targets of the program that the preset `fuzz` builds. */
export function nativeTargets(build: string): { name: string; longest: number; runs: number }[] {
  const { error, stderr } = spawnSync(program(build), { encoding: 'utf8' })
  if (error) throw error
  return [...stderr.matchAll(/^(\w+) (\d+) (\d+)$/gm)].map(([, name, longest, runs]) => ({
    name: name!,
    longest: Number(longest),
    runs: Number(runs),
  }))
}

const program = (build: string): string => join(build, 'Release', 'jcs_fuzz')

/** In a process of its own, which ends with the first input that does not hold; that one is kept in `build`/failures. */
export async function fuzzNative({
  build,
  name,
  longest,
  runs,
  seed,
}: FuzzTask & { longest: number }): Promise<Fuzzed> {
  const corpus = join(build, 'corpus', name)
  mkdirSync(corpus, { recursive: true })
  const options = {
    runs,
    seed,
    max_len: longest,
    timeout: longestSeconds,
    rss_limit_mb: 4096,
    print_final_stats: 1,
    artifact_prefix: join(build, 'failures', `${name}-`),
  }
  const child = spawn(
    program(build),
    [...Object.entries(options).map(([option, value]) => `-${option}=${value}`), corpus],
    {
      env: {
        ...process.env,
        JCS_FUZZ_TARGET: name,
        // oneDNN keeps what it has made until the process ends.
        ASAN_OPTIONS: 'detect_leaks=0',
        // Files that are synced, again and again.
        ...(existsSync('/dev/shm') && { TMPDIR: '/dev/shm' }),
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  let log = ''
  child.stderr.on('data', (text) => {
    log = (log + text).slice(-65536)
  })
  const [code, signal] = await once(child, 'close')
  const last = (pattern: RegExp) => Number([...log.matchAll(pattern)].at(-1)?.[1] ?? 0)
  const fault = /^(?:SUMMARY: .*|.*does not hold: .*|.*it ended with .*)$/m.exec(log)?.[0] ?? log.slice(-500)
  const file = /Test unit written to (\S+)/.exec(log)?.[1]
  return {
    done: last(/^stat::number_of_executed_units: (\d+)$/gm),
    pieces: last(/ cov: (\d+) /g),
    failures: code === 0 ? [] : [`${signal ?? code}: ${fault} ${file ?? ''}`],
  }
}
