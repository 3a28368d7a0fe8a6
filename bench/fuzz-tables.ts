import { type KeptRow, keptTables } from './kept-rows'

/** What `npm run fuzz` writes. */
export interface FuzzedTarget extends KeptRow {
  /** How many inputs were tried. */
  done: number
  /** Of code that ran. */
  pieces: number
}

export const fuzzTables = (): string[] =>
  keptTables(
    'fuzz',
    'npm run fuzz',
    ['target', 'files', 'pieces of code run'],
    ({ name, done, pieces }: FuzzedTarget) => [
      `\`${name}\``,
      done.toLocaleString('en'),
      pieces.toLocaleString('en'),
    ],
  )
