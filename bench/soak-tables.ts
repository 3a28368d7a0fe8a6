import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeptRow, KeptRows } from './kept-rows'
import { markdownRows } from './markdown'

/** What `npm run soak` writes. */
export interface SoakedSubject extends KeptRow {
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
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as KeptRows<SoakedSubject>)
    .map(({ environment: { cpu, isa, cores }, rows }) => {
      const table = markdownRows(
        ['what holds', 'times', 'failures', 'seen', 'minutes', 'commit'],
        rows.map(cellsOf),
      )
      return `${table}\n\n\`npm run soak\`; ${cpu}, ${isa}, ${cores} cores.`
    })
}

function cellsOf({ name, promise, done, failures, figures = {}, seconds, commit }: SoakedSubject): string[] {
  const seen = Object.entries(figures).map(([what, value]) => `${what}: ${value.toLocaleString('en')}`)
  return [
    `\`${name}\`: ${promise}`,
    done.toLocaleString('en'),
    String(failures.length),
    seen.join('; '),
    (seconds / 60).toFixed(1),
    commit,
  ]
}
