import { type KeptRow, keptTables } from './kept-rows'

/** What `npm run soak` writes. */
export interface SoakedSubject extends KeptRow {
  promise: string
  /** How often it was tried. */
  done: number
  figures?: Record<string, number>
}

export const soakTables = (): string[] =>
  keptTables('soak', 'npm run soak', ['what holds', 'times', 'seen'], cellsOf)

function cellsOf({ name, promise, done, figures = {} }: SoakedSubject): string[] {
  const seen = Object.entries(figures).map(([what, value]) => `${what}: ${value.toLocaleString('en')}`)
  return [`\`${name}\`: ${promise}`, done.toLocaleString('en'), seen.join('; ')]
}
