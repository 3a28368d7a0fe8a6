import type { ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { JcsError } from '../base/errors'
import { withoutArrays } from '../base/without-arrays'
import type { ProgressEvent } from '../run/progress'
import { errorDocument, toRequestError } from './errors'

/** Proxies close what is silent. */
const heartbeatMs = 15_000

/** Answers with the progress of `work` as server-sent events, and then with its result or error as one more. */
export async function stream(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (onProgress: (event: ProgressEvent) => void) => Promise<unknown>,
): Promise<void> {
  reply.hijack()
  const { raw } = reply
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    connection: 'close',
    'x-request-id': request.id,
  })
  const write = (text: string) => {
    if (!raw.destroyed) raw.write(`${text}\n\n`)
  }
  const send = (event: string, data: unknown) => write(`event: ${event}\ndata: ${JSON.stringify(data)}`)
  const heartbeat = setInterval(() => write(':'), heartbeatMs)
  try {
    const result = await work((event) => {
      // A client that reads slowly sees less of it; memory does not hold what it has not read.
      if (!raw.writableNeedDrain) send('progress', withoutArrays(event))
    })
    send('result', result)
  } catch (given) {
    const error: JcsError = toRequestError(given)
    if (error.code === 'INTERNAL') request.log.error({ err: error }, 'request failed')
    send('error', errorDocument(error, request.id).error)
  } finally {
    clearInterval(heartbeat)
    limitReading(raw)
    raw.end()
  }
}

/** A client that does not read its answer holds it in memory: for so long. */
const readingTimeoutMs = 60_000

/** Ends the connection of a client that reads nothing of its answer any more. */
export function limitReading({ socket }: ServerResponse, timeoutMs = readingTimeoutMs): void {
  // For a server of Node.js, one that is silent for so long is closed; a request that follows sets its own time.
  socket?.setTimeout(timeoutMs)
}

/** Aborts when the client goes before it has its answer. */
export function clientSignal(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new Error('the client has gone'))
  })
  request.raw.once('error', (error) => controller.abort(error))
  return controller.signal
}
