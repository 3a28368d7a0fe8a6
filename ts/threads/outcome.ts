import { toJcsError } from '../base/errors'

/** What a task in a thread comes to: an Error would lose its code on the way. */
export type Outcome<T> = { value: T } | { code: string; message: string }

export async function outcomeOf<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() }
  } catch (error) {
    const { code, message } = toJcsError(error)
    return { code, message }
  }
}
