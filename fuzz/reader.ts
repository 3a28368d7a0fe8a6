import { type Outcome, outcomeOf } from '../ts/threads/outcome'

/** A reader of files from outside. Whatever the bytes are, it takes them or says with a typed error why not. */
export interface Reader {
  name: string
  /** Bytes that are worth trying. */
  longest: number
  /** Files to start from. */
  seeds(): Uint8Array[]
  read(bytes: Uint8Array): Promise<void>
}

const refusals = new Set(['CORRUPT_FILE', 'UNSUPPORTED_FORMAT', 'INPUT_TOO_LARGE'])

/** What `work` gives, or nothing where it refuses the file as it may. */
export async function readOrRefused<T>(work: () => Promise<T>): Promise<T | undefined> {
  const outcome: Outcome<T> = await outcomeOf(work)
  if ('value' in outcome) return outcome.value
  if (!refusals.has(outcome.code) || outcome.message === '')
    throw new Error(`${outcome.code}: ${outcome.message}`)
  return undefined
}
