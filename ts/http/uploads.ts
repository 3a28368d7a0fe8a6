import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { MultipartFile } from '@fastify/multipart'
import type { FastifyError, FastifyRequest } from 'fastify'
import { cancelled, iterateUntilAborted } from '../base/abort'
import { JcsError, writeError } from '../base/errors'
import type { RoutesSettings } from './options'

/** What a request brings, or was fetched for it. */
export interface Upload {
  files: string[]
  /** What the caller calls those that it sent. Here they have numbers: a name may be a path, or a patient's. */
  names?: string[]
  options: Record<string, unknown>
}

/**
 * Receives the files of a request into a directory, within limits.
 *
 * @throws JcsError INVALID_ARGUMENT, INPUT_TOO_LARGE, DEADLINE_EXCEEDED, CANCELLED, DISK_FULL
 */
export async function receive(
  request: FastifyRequest,
  directory: string,
  { maxFiles, maxBytes, uploadTimeoutMs }: RoutesSettings['limits'],
  signal: AbortSignal,
): Promise<Upload> {
  const timeout = AbortSignal.timeout(uploadTimeoutMs)
  const either = AbortSignal.any([signal, timeout])
  const upload = { files: [] as string[], names: [] as string[], options: {} }
  let bytes = 0
  const count = () =>
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length
        done(bytes > maxBytes ? tooLarge(maxBytes) : null, chunk)
      },
    })
  try {
    const parts = request.parts({ limits: { files: maxFiles, fields: 8, fieldSize: 65536 } })
    for await (const part of iterateUntilAborted(parts, either)) {
      if (part.type === 'field') {
        if (part.fieldname !== 'options') throw unknownField(part.fieldname)
        upload.options = parseOptions(part.value)
        continue
      }
      if (part.fieldname !== 'images') throw unknownField(part.fieldname)
      const path = join(directory, String(upload.files.length + 1).padStart(6, '0'))
      await writePart(part, path, count(), either)
      upload.files.push(path)
      upload.names.push(part.filename || `image ${upload.files.length}`)
    }
  } catch (error) {
    // Whatever is left is read and dropped, as long as the server lets a request take: who still sends reads no answer.
    request.raw.unpipe()
    request.raw.resume()
    if (signal.aborted) throw cancelled(signal.reason)
    if (timeout.aborted)
      throw new JcsError('DEADLINE_EXCEEDED', `the request was not received within ${uploadTimeoutMs} ms`)
    if (error instanceof JcsError || (error as FastifyError).statusCode !== undefined) throw error
    const { message } = error as Error
    throw new JcsError('INVALID_ARGUMENT', `the request is no sound multipart/form-data: ${message}`, {
      cause: error,
    })
  }
  return upload
}

async function writePart(
  part: MultipartFile,
  path: string,
  counted: Transform,
  signal: AbortSignal,
): Promise<void> {
  try {
    await pipeline(part.file, counted, createWriteStream(path, { flags: 'wx' }), { signal })
  } catch (error) {
    const { syscall } = error as NodeJS.ErrnoException
    throw syscall === undefined ? error : writeError(error, 'the upload')
  }
}

/** Of a field, or of a whole body. */
export function parseOptions(value: unknown): Record<string, unknown> {
  try {
    const parsed: unknown = typeof value === 'string' ? JSON.parse(value) : value
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>
  } catch {}
  throw new JcsError('INVALID_ARGUMENT', "the field 'options' must be a JSON object")
}

function unknownField(name: string): JcsError {
  return new JcsError(
    'INVALID_ARGUMENT',
    `there is no field '${name}'; there are 'images', once a file, and 'options'`,
  )
}

function tooLarge(maxBytes: number): JcsError {
  return new JcsError('INPUT_TOO_LARGE', `a request may have ${maxBytes} bytes; send fewer files`)
}
