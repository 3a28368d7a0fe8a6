import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import type { Dicer } from '@fastify/busboy'
import { JcsError } from '../base/errors'
import { incomplete, type PacsAnswer } from './request'

/** Bytes of one part of type application/dicom as the body of a multipart/related message (PS3.18, 8.6.1.2; RFC 2387). */
export function multipartOf(dicom: Uint8Array): { bytes: Uint8Array; contentType: string } {
  const boundary = `jcs-${randomBytes(24).toString('hex')}`
  const bytes = Buffer.concat([
    Buffer.from(`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`, 'latin1'),
    dicom,
    Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'),
  ])
  return { bytes, contentType: `multipart/related; type="application/dicom"; boundary=${boundary}` }
}

/**
 * Streams the one part of a multipart answer, or an answer that is not in parts, to `write`, never faster than that takes
 * it.
 *
 * @throws JcsError PACS_ANSWER_INVALID for another type, none or several parts, an answer that ends before its last boundary
 */
export async function readOnePart(
  answer: PacsAnswer,
  maxBytes: number,
  where: string,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  const [type = '', ...parameters] = answer.contentType.split(';').map((text) => text.trim())
  if (type.toLowerCase() === 'application/dicom') {
    for await (const chunk of answer.body(maxBytes)) await write(chunk)
    return
  }
  const boundary = parameters.map((text) => /^boundary="?([^"]{1,200})"?$/i.exec(text)?.[1]).find(Boolean)
  if (type.toLowerCase() !== 'multipart/related' || boundary === undefined) {
    const what = /^[\w.+-]+\/[\w.+-]+$/.test(type) ? type : 'no type'
    throw new JcsError(
      'PACS_ANSWER_INVALID',
      `${where} answers with ${what} where multipart/related of application/dicom was asked for`,
    )
  }
  const busboy = require('@fastify/busboy') as typeof import('@fastify/busboy') // not before it is needed
  const dicer = new busboy.Dicer({ boundary })
  let parts = 0
  let first: Readable | undefined
  let written: Promise<void> = Promise.resolve()
  dicer.on('part', (part: Readable) => {
    if (++parts > 1) {
      part.on('error', () => {}) // the whole answer's, which ends the pipeline
      part.resume()
      return
    }
    first = part
    written = writeAll(part, write)
    written.catch((error) => dicer.destroy(error))
  })
  try {
    await feed(dicer, answer.body(maxBytes))
    await written
  } catch (error) {
    // The parser leaves a part open when it is ended itself.
    first?.destroy()
    await written.catch(() => {})
    if (error instanceof Error && error.message.startsWith('Unexpected end of multipart'))
      throw incomplete(`${where} answers with a multipart message that is cut short`, error)
    throw error
  }
  if (parts === 1) return
  throw new JcsError(
    'PACS_ANSWER_INVALID',
    `${where} answers with ${parts} parts where one instance was asked for`,
  )
}

/** By hand: the parser says when it has finished, and may then leave its last write unanswered, for which a pipeline waits. */
async function feed(dicer: Dicer, body: AsyncIterable<Uint8Array>): Promise<void> {
  let isFinished = false
  const finished = once(dicer, 'finish').then(() => {
    isFinished = true
  })
  const failed = once(dicer, 'error').then(([error]) => {
    throw error
  })
  for (const outcome of [failed, finished]) outcome.catch(() => {}) // where the body fails before
  for await (const chunk of body)
    if (!isFinished && !dicer.write(chunk)) await Promise.race([once(dicer, 'drain'), finished, failed])
  if (!isFinished) dicer.end()
  await Promise.race([finished, failed])
}

async function writeAll(part: Readable, write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
  for await (const chunk of part) await write(chunk)
}
