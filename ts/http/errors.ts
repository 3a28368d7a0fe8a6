import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { JcsError, type JcsErrorCode, toJcsError } from '../base/errors'

/** Whose fault an error is, as HTTP says it; what is not here is the server's. */
const statuses: Partial<Record<JcsErrorCode, number>> = {
  INVALID_ARGUMENT: 400,
  INVALID_TYPE: 400,
  UNAUTHORIZED: 401,
  FILE_NOT_FOUND: 404,
  INPUT_TOO_LARGE: 413,
  UNSUPPORTED_FORMAT: 415,
  SHAPE_MISMATCH: 422,
  INPUT_TOO_SMALL: 422,
  NOT_FINITE: 422,
  CORRUPT_FILE: 422,
  CASE_TOO_SMALL: 422,
  INCOMPLETE_SERIES: 422,
  EMPTY_DATASET: 422,
  BUSY: 429,
  CANCELLED: 499,
  PACS_UNREACHABLE: 502,
  PACS_UNAUTHORIZED: 502,
  PACS_REFUSED: 502,
  PACS_ANSWER_INVALID: 502,
  SERVICE_CLOSED: 503,
  DEADLINE_EXCEEDED: 504,
  DISK_FULL: 507,
}

export const statusOf = ({ code }: JcsError): number => statuses[code] ?? 500

export interface ErrorDocument {
  error: { code: string; message: string; requestId: string; retryAfterMs?: number }
}

/** What the caller is told: of the server's own faults no more than that there was one. */
export function errorDocument(error: JcsError, requestId: string): ErrorDocument {
  const { code, message, retryAfterMs } = error
  const told = statusOf(error) === 500 ? 'the server failed; its log says why' : message
  return { error: { code, message: told, requestId, ...(retryAfterMs !== undefined && { retryAfterMs }) } }
}

/** Fastify's own errors are of requests that it does not understand, or does not take. */
export function toRequestError(error: unknown): JcsError {
  if (error instanceof JcsError) return error
  const { code, message, statusCode = 500 } = error as FastifyError
  const options = { cause: error }
  if (code === 'FST_FILES_LIMIT')
    return new JcsError('INPUT_TOO_LARGE', 'the request has more files than one may have', options)
  if (statusCode === 413) return new JcsError('INPUT_TOO_LARGE', message, options)
  if (statusCode === 406 || statusCode === 415)
    return new JcsError('UNSUPPORTED_FORMAT', 'a request is multipart/form-data or JSON', options)
  if (statusCode >= 400 && statusCode < 500) return new JcsError('INVALID_ARGUMENT', message, options)
  return toJcsError(error)
}

export function answerError(given: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const error = toRequestError(given)
  const status = statusOf(error)
  if (status === 500) request.log.error({ err: error }, 'request failed')
  if (error.retryAfterMs !== undefined)
    reply.header('retry-after', String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))))
  if (status === 503) reply.header('retry-after', '5')
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  reply.code(status).send(errorDocument(error, request.id))
}
