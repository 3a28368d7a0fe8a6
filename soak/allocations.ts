import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { evenly } from './evenly'
import type { Outcome, Subject } from './subject'

const program = join(__dirname, '..', 'build', 'Release', 'jcs_allocations')
/** Refusals that one process lives through, one after the other. */
const perProcess = 250
/** oneDNN keeps what it has generated. */
const allowedGrowth = 1.2
/** One refusal that takes longer hangs. */
const longestMs = 60_000

export const allocations: Subject = {
  name: 'allocations',
  promise:
    'The system refuses memory, or a thread, once, at the first allocation from every place in the code in turn (told by its callers), while a model is loaded, classifies, segments and is trained: the error is OUT_OF_MEMORY or nothing is seen of it, and what is asked next gives, to the bit, what it always did.',
  times: { short: 60, full: 100_000 },
  async run(times, onProgress) {
    const scenarios = listScenarios()
    const total = scenarios.reduce((sum, { places }) => sum + places.length, 0)
    if (total === 0) throw new Error(`${program} lists nothing`)
    const share = Math.min(1, times / total)
    const failures: string[] = []
    let done = 0
    const tasks = scenarios.flatMap(({ name, places }) => {
      const chosen = evenly(places.length, share).map((place) => places[place - 1]!)
      return inGroups(chosen, perProcess).map((numbers) => ({ name, numbers }))
    })
    const work = async () => {
      for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) {
        let { numbers } = task
        while (numbers.length > 0) {
          const tried = await refuse(task.name, numbers, () => onProgress(++done))
          failures.push(...tried.failures)
          numbers = numbers.slice(tried.count)
        }
      }
    }
    await Promise.all(Array.from({ length: availableParallelism() }, work))
    const allocations = scenarios.reduce((sum, scenario) => sum + scenario.allocations, 0)
    return { done, failures, figures: { allocations, places: total } }
  },
}

interface Scenario {
  name: string
  allocations: number
  /** The number of the first allocation from each place in the code, told by its callers. */
  places: number[]
}

function listScenarios(): Scenario[] {
  const text = execFileSync(program, { encoding: 'utf8', maxBuffer: 2 ** 24 })
  return [...text.matchAll(/^(.+): (\d+):(.*)$/gm)].map(([, name, allocations, places]) => ({
    name: name!,
    allocations: Number(allocations),
    places: places!.trim().split(' ').map(Number),
  }))
}

function inGroups<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
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
    const [, before, after] = /^blocks (\d+) (\d+)$/.exec(line) ?? []
    if (Number(after) > allowedGrowth * Number(before))
      failures.push(
        `${scenario}: ${before} blocks of memory were in use after one refusal, ${after} at the end`,
      )
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
