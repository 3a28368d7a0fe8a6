import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Environment } from '../bench/environment'
import { markdownRows } from '../bench/markdown'
import type { Outcome } from './subject'

export interface SoakResults {
  environment: Environment
  subjects: (Outcome & { name: string; promise: string; seconds: number })[]
}

export const resultsFolder = join(__dirname, 'results')

/** What docs/reliability.md shows: a table for every machine. */
export function soakTables(): string[] {
  return readdirSync(resultsFolder).map((file) => {
    const results = JSON.parse(readFileSync(join(resultsFolder, file), 'utf8')) as SoakResults
    const { cpu, isa, threads, commit, date } = results.environment
    const rows = results.subjects.map(({ name, promise, done, failures, figures = {}, seconds }) => [
      `\`${name}\``,
      promise,
      done.toLocaleString('en'),
      String(failures.length),
      Object.entries(figures)
        .map(([what, value]) => `${what}: ${value.toLocaleString('en')}`)
        .join('; '),
      `${Math.max(1, Math.round(seconds / 60))} min`,
    ])
    const table = markdownRows(['', 'what holds', 'times', 'failures', 'seen', 'took'], rows)
    return `${table}\n\n\`npm run soak\`, ${date}, commit ${commit}; ${cpu}, ${isa}, ${threads} cores.`
  })
}
