import { JcsError, type JcsErrorCode } from '../base/errors'

export const exitCodes = { ok: 0, failed: 1, usage: 2, badInput: 3, cancelled: 130 } as const

const usageErrors: ReadonlySet<JcsErrorCode> = new Set(['INVALID_ARGUMENT', 'INVALID_TYPE'])

const badInputErrors: ReadonlySet<JcsErrorCode> = new Set([
  'SHAPE_MISMATCH',
  'INPUT_TOO_SMALL',
  'INPUT_TOO_LARGE',
  'NOT_FINITE',
  'UNSUPPORTED_FORMAT',
  'CORRUPT_FILE',
  'FILE_NOT_FOUND',
  'FILE_UNREADABLE',
  'WRONG_VARIANT',
  'MISSING_PARAMETER',
  'UNEXPECTED_PARAMETER',
  'CASE_TOO_SMALL',
  'INCOMPLETE_SERIES',
  'BAD_SAMPLE',
  'EMPTY_DATASET',
  'RESUME_MISMATCH',
])

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof JcsError)) return exitCodes.failed
  if (error.code === 'CANCELLED') return exitCodes.cancelled
  if (usageErrors.has(error.code)) return exitCodes.usage
  return badInputErrors.has(error.code) ? exitCodes.badInput : exitCodes.failed
}

export const exitCodesHelp = `
Exit codes:
  0 done   1 failed   2 wrong usage   3 input that cannot be used   130 cancelled`
