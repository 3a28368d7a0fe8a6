import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { evenly } from './evenly'
import type { Outcome, Subject } from './subject'

const program = join(__dirname, '..', 'build', 'Release', 'jcs_allocations')
/** Refusals that one process lives through, one after the other. */
const perProcess = 250
/** One refusal that takes longer hangs. */
const longestMs = 60_000

export const allocations: Subject = {
  name: 'allocations',
  promise:
    'The system refuses memory, or a thread, once, at every allocation in turn, while a model is loaded, classifies, segments and is trained: the error is OUT_OF_MEMORY or nothing is seen of it, and what is asked next gives, to the bit, what it always did.',
  times: { short: 60, full: 30_000 },
  async run(times, onProgress) {
    const scenarios = listScenarios()
    const total = scenarios.reduce((sum, { count }) => sum + count, 0)
    const share = Math.min(1, times / total)
    const failures: string[] = []
    let done = 0
    for (const { name, count } of scenarios) {
      let left = evenly(count, share)
      while (left.length > 0) {
        const tried = await refuse(name, left.slice(0, perProcess), () => onProgress(++done))
        failures.push(...tried.failures)
        left = left.slice(tried.count)
      }
    }
    return { done, failures, figures: { allocations: total } }
  },
}

function listScenarios(): { name: string; count: number }[] {
  const text = execFileSync(program, { encoding: 'utf8' })
  return [...text.matchAll(/^(\d+) (.+)$/gm)].map(([, count, name]) => ({
    name: name!,
    count: Number(count),
  }))
}

/** Each in turn, in one process; how many it came to, and what went wrong. */
async function refuse(
  scenario: string,
  numbers: readonly number[],
  onTried: () => void,
): Promise<{ count: number } & Pick<Outcome, 'failures'>> {
  const child = spawn(program, [scenario, ...numbers.map(String)], { stdio: ['ignore', 'pipe', 'pipe'] })
  let timer: NodeJS.Timeout | undefined
  let count = 0
  const failures: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    clearTimeout(timer)
    timer = setTimeout(() => child.kill('SIGABRT'), longestMs)
    if (line.startsWith('FAILED ')) failures.push(`${scenario}, allocation ${line.slice(7)}`)
    if (!/^\d+$/.test(line)) return
    count++
    onTried()
  })
  let errors = ''
  child.stderr.on('data', (text) => {
    errors += text
  })
  const [code, signal] = await once(child, 'close')
  clearTimeout(timer)
  if (code !== 0)
    failures.push(`${scenario}, allocation ${numbers[count - 1]}: ${signal ?? code} ${errors.slice(0, 300)}`)
  // Of one that ended before it came to any, no more is to be learned.
  return { count: count || numbers.length, failures }
}
