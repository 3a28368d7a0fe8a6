import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Environment } from './environment'

/** What took so long that each row is of a run of its own. */
export interface KeptRow {
  name: string
  /** Of the code that was tried. */
  commit: string
  date: string
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
