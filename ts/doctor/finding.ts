/** What was found about one part of the machine. */
export interface Finding {
  /** The part, in a word or two. */
  what: string
  /** `error`: nothing works, or not what was installed for it. `warning`: slower, or less than there could be. */
  state: 'ok' | 'warning' | 'error'
  /** As a phrase for people. */
  found: string
  /** What to do, as a sentence; of what is not `ok`. */
  remedy?: string
}

export const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`
