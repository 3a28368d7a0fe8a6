import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Environment } from './environment'
import { markdownRows } from './markdown'

/** What `npm run fuzz` writes. */
export interface FuzzResults {
  environment: Environment
  targets: FuzzedTarget[]
}

export interface FuzzedTarget {
  name: string
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
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as FuzzResults)
    .map(({ environment: { cpu, isa, cores, commit, date }, targets }) => {
      const table = markdownRows(
        ['target', 'files', 'pieces of code run', 'failures', 'minutes'],
        targets.map(({ name, done, pieces, failures, seconds }) => [
          `\`${name}\``,
          done.toLocaleString('en'),
          pieces.toLocaleString('en'),
          String(failures.length),
          (seconds / 60).toFixed(1),
        ]),
      )
      return `${table}\n\n\`npm run fuzz\`, ${date}, commit ${commit}; ${cpu}, ${isa}, ${cores} cores.`
    })
}
