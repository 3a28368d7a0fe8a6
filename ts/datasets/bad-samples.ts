import { JcsError, type JcsErrorCode } from '../base/errors'
import type { BadSample } from './types'

const shownAtMost = 5

export function badSample(origin: string, reason: string, code: JcsErrorCode = 'BAD_SAMPLE'): BadSample {
  return { origin, code, message: `${origin}: ${reason}` }
}

/** A failure met while a sample was read. Cancellation and bugs are no fault of the sample and pass through. */
export function badSampleFrom(origin: string, error: unknown): BadSample {
  if (!(error instanceof JcsError) || error.code === 'CANCELLED' || error.code === 'INTERNAL') throw error
  return badSample(origin, error.message, error.code)
}

/** One error for all of them: the first few in full, the rest counted. */
export function badSamplesError(bad: readonly BadSample[]): JcsError {
  const [first] = bad
  const shown = bad.slice(0, shownAtMost).map(({ message }) => message)
  const rest = bad.length - shown.length
  const message = [
    bad.length === 1 ? shown[0]! : `${bad.length} samples cannot be used:\n  ${shown.join('\n  ')}`,
    ...(rest > 0 ? [`  and ${rest} more`] : []),
  ].join('\n')
  const cause = first && first.code !== 'BAD_SAMPLE' ? new JcsError(first.code, first.message) : undefined
  return new JcsError('BAD_SAMPLE', message, cause && { cause })
}
