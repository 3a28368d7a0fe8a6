import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Environment } from './environment'
import { markdownRows } from './markdown'

/** What took so long that each row is of a run of its own. */
export interface KeptRow {
  name: string
  /** Of the code that was tried. */
  commit: string
  date: string
  /** A sentence each. */
  failures: string[]
  seconds: number
}

export interface KeptRows<Row extends KeptRow> {
  environment: Environment
  rows: Row[]
}

/** Writes a row into a file of them, instead of the one of its name. Rows of another machine go. */
export function keepRow<Row extends KeptRow>(
  file: string,
  environment: Environment,
  row: Omit<Row, 'commit' | 'date'>,
): void {
  const { commit, date, cpu, isa, cores } = environment
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as KeptRows<Row>) : undefined
  const isSame =
    before?.environment.cpu === cpu && before.environment.isa === isa && before.environment.cores === cores
  const others = isSame ? before!.rows.filter(({ name }) => name !== row.name) : []
  const rows = [...others, { ...row, commit, date } as Row]
  writeFileSync(`${file}.new`, `${JSON.stringify({ environment, rows }, null, 2)}\n`)
  renameSync(`${file}.new`, file)
}

/** A table for every machine, of the files that `command` wrote into a folder of the results. */
export function keptTables<Row extends KeptRow>(
  folder: string,
  command: string,
  columns: readonly string[],
  cellsOf: (row: Row) => string[],
): string[] {
  const directory = join(__dirname, 'results', folder)
  return readdirSync(directory)
    .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')) as KeptRows<Row>)
    .map(({ environment: { cpu, isa, cores }, rows }) => {
      const table = markdownRows(
        [...columns, 'failures', 'minutes', 'commit'],
        rows.map((row) => [
          ...cellsOf(row),
          String(row.failures.length),
          (row.seconds / 60).toFixed(1),
          row.commit,
        ]),
      )
      return `${table}\n\n\`${command}\`; ${cpu}, ${isa}, ${cores} cores.`
    })
}
