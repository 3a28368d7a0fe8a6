/**
 * Every error code of the library, native code included, with its meaning in one sentence. Codes are stable: programs
 * may branch on them. docs/errors.md says for each what causes it and what to do.
 */
export const errorMeanings = {
  INVALID_ARGUMENT: 'An argument or option has the right type and an unusable value.',
  INVALID_TYPE: 'An argument or option has the wrong type.',
  SHAPE_MISMATCH: 'An array or tensor does not have the shape that its use asks for.',
  INPUT_TOO_SMALL: 'An input is smaller than the smallest that the network can take.',
  INPUT_TOO_LARGE: 'An input is larger than the limit set for it.',
  NOT_FINITE: 'A value that must be a number is NaN or infinite.',
  UNSUPPORTED_FORMAT: 'The content is in a format that is not read.',
  CORRUPT_FILE: 'The format was recognised and the content is damaged, cut short or contradicts itself.',
  FILE_NOT_FOUND: 'There is nothing at the given path or address.',
  MODELS_NOT_INSTALLED: 'A model was asked for by name, and the package that brings it is not installed.',
  FILE_UNREADABLE: 'There is something at the given path or address, and it cannot be read.',
  FILE_UNWRITABLE: 'A file or directory cannot be written.',
  DISK_FULL: 'The disk ran out of space, or the quota was reached, while writing.',
  WRONG_VARIANT: 'A parameter file belongs to another variant of the network.',
  MISSING_PARAMETER: 'A parameter file lacks a parameter of the network.',
  UNEXPECTED_PARAMETER: 'A parameter file holds a parameter that the network does not have.',
  DEVICE_UNAVAILABLE: 'The device asked for cannot be used here.',
  MPI_UNAVAILABLE: 'Processes were to train together, and MPI cannot be used here.',
  RANK_LOST: 'One of the processes that train together is gone, or goes no further.',
  OUT_OF_MEMORY: 'The work needs more memory than the device has free.',
  CANCELLED: 'The work was cancelled by its caller.',
  DISPOSED: 'The object was used after dispose().',
  BUSY: 'So much waits to be done that no more is taken.',
  DEADLINE_EXCEEDED: 'A request was not done by its deadline.',
  UNAUTHORIZED: 'A request does not say who asks, or not so that it is believed.',
  SERVICE_CLOSED: 'A service takes no requests any more.',
  CASE_TOO_SMALL: 'A case has too few slices for the default slice threshold to mean anything.',
  INCOMPLETE_SERIES: 'The slices of a series do not make a whole volume, which would be wrong.',
  BAD_SAMPLE: 'A sample of a dataset cannot be used.',
  EMPTY_DATASET: 'A dataset or a case holds no sample.',
  BATCH_NORM_BATCH_TOO_SMALL: 'Batch normalisation in batch mode was given a single value per channel.',
  DIVERGED: 'Training stopped because the loss is no longer finite.',
  RESUME_MISMATCH: 'A checkpoint does not belong to the training run that was to be resumed.',
  PACS_UNREACHABLE:
    'A PACS cannot be reached, is silent, or answers that it cannot now, however often it was asked.',
  PACS_UNAUTHORIZED: 'A PACS wants to know who asks, or does not let them.',
  PACS_REFUSED: 'A PACS answers that it does not do what it was asked for.',
  PACS_ANSWER_INVALID: 'What a PACS answers is not what DICOMweb lays down.',
  INTERNAL: 'An internal invariant does not hold: a bug of this library.',
  NATIVE_LOAD_FAILED: 'The native addon could not be loaded.',
} as const

export type JcsErrorCode = keyof typeof errorMeanings

/** The one error class of the library. The message says what was wrong, where, and what to do. */
export class JcsError extends Error {
  readonly code: JcsErrorCode
  /** Of BUSY, where it is known: when it is worth asking again. */
  declare readonly retryAfterMs?: number

  constructor(code: JcsErrorCode, message: string, options: ErrorOptions & { retryAfterMs?: number } = {}) {
    super(message, options)
    this.name = 'JcsError'
    this.code = code
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs
  }
}

export function isErrorCode(code: unknown): code is JcsErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorMeanings, code)
}

/**
 * Errors of the native side arrive as plain objects or Errors with `code` and `message`. Whatever carries no code of
 * ours is a bug and becomes INTERNAL, with the original as its cause. The stack is the JavaScript caller's.
 */
export function toJcsError(error: unknown): JcsError {
  if (error instanceof JcsError) return error
  const { code, message } = Object(error) as { code?: unknown; message?: unknown }
  const text = typeof message === 'string' ? message : String(error)
  if (isErrorCode(code)) return new JcsError(code, text, { cause: error })
  return new JcsError('INTERNAL', `unexpected failure: ${text}; please report this`, { cause: error })
}

const readFailures: Record<string, readonly [JcsErrorCode, string]> = {
  ENOENT: ['FILE_NOT_FOUND', 'does not exist'],
  ENOTDIR: ['FILE_NOT_FOUND', 'does not exist: a part of its path is a file'],
  EACCES: ['FILE_UNREADABLE', 'may not be read by this user'],
  EPERM: ['FILE_UNREADABLE', 'may not be read by this user'],
  ELOOP: ['FILE_UNREADABLE', 'is a symbolic link that leads back to itself'],
  ENAMETOOLONG: ['FILE_NOT_FOUND', 'has a longer name than the file system takes'],
  EISDIR: ['FILE_UNREADABLE', 'is a directory where a file was expected'],
  EMFILE: ['FILE_UNREADABLE', 'cannot be opened: this process has too many open files'],
}

/** Translates a file system error met while reading `name`. */
export function readError(error: unknown, name: string): JcsError {
  if (error instanceof JcsError) return error
  const { code, message } = error as NodeJS.ErrnoException
  const [ourCode, what] = readFailures[code ?? ''] ?? ['FILE_UNREADABLE', `cannot be read: ${message}`]
  return new JcsError(ourCode, `'${name}' ${what}`, { cause: error })
}

const writeFailures: Record<string, readonly [JcsErrorCode, string]> = {
  ENOSPC: ['DISK_FULL', 'could not be written: no space is left on the disk'],
  EDQUOT: ['DISK_FULL', 'could not be written: the disk quota is used up'],
  EFBIG: [
    'DISK_FULL',
    'could not be written: it is larger than the file system or the limit of this process allows',
  ],
  EACCES: ['FILE_UNWRITABLE', 'may not be written by this user'],
  EPERM: ['FILE_UNWRITABLE', 'may not be written by this user'],
  EROFS: ['FILE_UNWRITABLE', 'is on a read-only file system'],
  ENOENT: ['FILE_UNWRITABLE', 'cannot be written: its directory does not exist'],
  ENOTDIR: ['FILE_UNWRITABLE', 'cannot be written: a part of its path is a file'],
  EISDIR: ['FILE_UNWRITABLE', 'cannot be written: it is a directory'],
}

/** Translates a file system error met while writing `name`. */
export function writeError(error: unknown, name: string): JcsError {
  if (error instanceof JcsError) return error
  const { code, message } = error as NodeJS.ErrnoException
  const [ourCode, what] = writeFailures[code ?? ''] ?? ['FILE_UNWRITABLE', `cannot be written: ${message}`]
  return new JcsError(ourCode, `'${name}' ${what}`, { cause: error })
}
