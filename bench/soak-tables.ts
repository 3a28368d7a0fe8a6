import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Environment } from './environment'
import { markdownRows } from './markdown'

/** What `npm run soak` writes. */
export interface SoakResults {
  environment: Environment
  subjects: SoakedSubject[]
}

export interface SoakedSubject {
  name: string
  promise: string
  done: number
  failures: string[]
  figures?: Record<string, number>
  seconds: number
}

const folder = join(__dirname, 'results', 'soak')

/** A table for every machine. */
export function soakTables(): string[] {
  return readdirSync(folder)
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as SoakResults)
    .map(({ environment: { cpu, isa, cores, commit, date }, subjects }) => {
      const table = markdownRows(
        ['what holds', 'times', 'failures', 'seen', 'minutes'],
        subjects.map(cellsOf),
      )
      return `${table}\n\n\`npm run soak\`, ${date}, commit ${commit}; ${cpu}, ${isa}, ${cores} cores.`
    })
}

function cellsOf({ name, promise, done, failures, figures = {}, seconds }: SoakedSubject): string[] {
  const seen = Object.entries(figures).map(([what, value]) => `${what}: ${value.toLocaleString('en')}`)
  return [
    `\`${name}\`: ${promise}`,
    done.toLocaleString('en'),
    String(failures.length),
    seen.join('; '),
    (seconds / 60).toFixed(1),
  ]
}
