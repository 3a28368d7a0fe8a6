import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { JcsError } from './base/errors'
import { withTemporaryDirectory } from './base/temporary-directory'
import { clientSignal, limitReading, stream } from './http/answers'
import { answerError } from './http/errors'
import { openApi } from './http/openapi'
import { type RoutesSettings, type ServiceRoutesOptions, takeRoutesOptions } from './http/options'
import { page } from './http/page'
import { parseOptions, receive } from './http/uploads'
import { fetchStudy, type Work, workOn } from './http/work'
import type { ProgressEvent } from './run/progress'

export type { ServiceRoutesOptions }

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sends it, where the routes of a service ask for that. */
    jcsClient?: string
  }
}

/**
 * A Fastify plugin: a service over HTTP. `POST /v1/classify`, `/v1/segment` and `/v1/diagnose` take images as
 * multipart/form-data, or the study of an archive as JSON; `GET /health`, `/ready`, `/metrics` and `/openapi.json` say
 * how it is. Served by `jcs serve` as well.
 *
 * @throws JcsError INVALID_TYPE, INVALID_ARGUMENT
 */
export async function serviceRoutes(app: FastifyInstance, options: ServiceRoutesOptions): Promise<void> {
  const settings = takeRoutesOptions(options)
  const { service, limits, authenticate } = settings
  const { fastifyMultipart } = require('@fastify/multipart') as typeof import('@fastify/multipart')
  // What a request may have in all is counted by `receive`.
  await app.register(fastifyMultipart, { limits: { fileSize: Number.POSITIVE_INFINITY } })
  app.removeContentTypeParser('text/plain')
  app.setErrorHandler(answerError)

  app.get('/health', async () => ({ status: 'ok' }))
  app.get('/ready', async (_request, reply) => {
    const { isOpen, waiting, active, models } = service.status()
    reply.code(isOpen ? 200 : 503)
    return { ready: isOpen, waiting, active, models }
  })
  app.get('/metrics', async (_request, reply) => {
    reply.type('text/plain; version=0.0.4; charset=utf-8')
    return service.metrics()
  })
  app.get('/openapi.json', async () => openApi(settings, app.prefix))
  if (settings.page)
    app.get('/', async (_request, reply) => {
      reply.type('text/html; charset=utf-8').headers(page.headers)
      return page.html
    })

  const onRequest = async (request: FastifyRequest) => {
    if (!authenticate) return
    const client = await authenticate(request.headers.authorization)
    if (client === undefined)
      throw new JcsError(
        'UNAUTHORIZED',
        'the request has no key or token that is taken here; send one as Bearer',
      )
    request.jcsClient = client
  }
  app.addHook('onSend', async (_request, reply) => limitReading(reply.raw))
  const uploads = new UploadPlaces(limits.maxUploads)
  for (const kind of ['classify', 'segment', 'diagnose'] as const)
    app.post(`/v1/${kind}`, { onRequest }, (request, reply) =>
      answer(kind, settings, uploads, request, reply),
    )
}

/** How many requests are being received: what they bring takes disk. */
class UploadPlaces {
  readonly #most: number
  #taken = 0

  constructor(most: number) {
    this.#most = most
  }

  /** @throws JcsError BUSY */
  async within<T>(use: () => Promise<T>): Promise<T> {
    if (this.#taken >= this.#most)
      throw new JcsError('BUSY', `${this.#taken} requests are being received, as many as may`, {
        retryAfterMs: 1000,
      })
    this.#taken++
    try {
      return await use()
    } finally {
      this.#taken--
    }
  }
}

async function answer(
  kind: Work['kind'],
  settings: RoutesSettings,
  uploads: UploadPlaces,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  // Nothing is received that would be refused afterwards.
  settings.service.requireRoom(kind)
  const signal = clientSignal(request, reply)
  const client = request.jcsClient
  return withTemporaryDirectory(async (directory) => {
    const isUpload = request.isMultipart()
    const upload = isUpload
      ? await uploads.within(() => receive(request, directory, settings.limits, signal))
      : undefined
    const work = async (onProgress: (event: ProgressEvent) => void) => {
      const images =
        upload ??
        (await fetchStudy(settings, parseOptions(request.body), { kind, directory, signal, onProgress }))
      return workOn(settings, { kind, upload: images, client, signal, onProgress })
    }
    const accepted = request.headers.accept ?? ''
    if (accepted.includes('text/event-stream')) return stream(request, reply, work)
    const document = await work(() => {})
    if (!(accepted.includes('text/html') && 'report' in document)) return document
    reply.type('text/html; charset=utf-8')
    return document.report
  })
}
