import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeptRow, KeptRows } from './kept-rows'
import { markdownRows } from './markdown'

/** What `npm run fuzz` writes. */
export interface FuzzedTarget extends KeptRow {
  done: number
  /** Of code that ran. */
  pieces: number
  failures: string[]
  seconds: number
}

const folder = join(__dirname, 'results', 'fuzz')

/** A table for every machine. */
export function fuzzTables(): string[] {
  return readdirSync(folder)
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as KeptRows<FuzzedTarget>)
    .map(({ environment: { cpu, isa, cores }, rows }) => {
      const table = markdownRows(
        ['target', 'files', 'pieces of code run', 'failures', 'minutes', 'commit'],
        rows.map(({ name, done, pieces, failures, seconds, commit }) => [
          `\`${name}\``,
          done.toLocaleString('en'),
          pieces.toLocaleString('en'),
          String(failures.length),
          (seconds / 60).toFixed(1),
          commit,
        ]),
      )
      return `${table}\n\n\`npm run fuzz\`; ${cpu}, ${isa}, ${cores} cores.`
    })
}
