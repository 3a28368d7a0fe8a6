import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { JcsError } from '../base/errors'
import { serviceRoutes } from '../service-routes'
import { answerError } from './errors'
import { type ServiceRoutesOptions, takeRoutesOptions } from './options'

export interface ServerOptions extends ServiceRoutesOptions {
  /** Default `info`. */
  logLevel?: 'silent' | 'error' | 'warn' | 'info' | 'debug' | undefined
  /** Connections at the same time; more are closed. Default 1024. */
  maxConnections?: number | undefined
}

/** A client has so long to send the headers of a request. */
const headersTimeoutMs = 20_000

/** A server of the routes alone, with ids of requests and logs that name no file and no patient. */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const { logLevel = 'info', maxConnections = 1024, ...routes } = options
  const { fastify, LogController } = require('fastify') as typeof import('fastify') // not before it is needed
  const settings: FastifyServerOptions = {
    logger: {
      level: logLevel,
      serializers: {
        // No query, no name of a file, no body.
        req: ({ method, routeOptions }) => ({ method, route: routeOptions?.url }),
        res: ({ statusCode }) => ({ statusCode }),
      },
    },
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: ({ headers }) => {
      const given = headers['x-request-id']
      return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID()
    },
    bodyLimit: 65536, // of JSON; uploads have limits of their own
    forceCloseConnections: 'idle',
  }
  const app = fastify(settings)
  app.server.maxConnections = maxConnections
  app.server.headersTimeout = headersTimeoutMs
  // A request that is refused in the middle is read to its end, but not for ever.
  app.server.requestTimeout = headersTimeoutMs + takeRoutesOptions(routes).limits.uploadTimeoutMs
  app.setNotFoundHandler((request, reply) => {
    answerError(
      new JcsError('FILE_NOT_FOUND', `there is no ${request.method} ${request.url.split('?')[0]} here`),
      request,
      reply,
    )
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
  })
  app.addHook('onSend', async (_request, reply) => {
    // A connection that is kept would keep the process.
    if (!routes.service.status().isOpen) reply.header('connection', 'close')
  })
  app.addHook('onResponse', async (request, reply) => {
    request.log.info(
      { req: request, res: reply, client: request.jcsClient, durationMs: Math.round(reply.elapsedTime) },
      'request done',
    )
  })
  await app.register(serviceRoutes, routes)
  return app
}
