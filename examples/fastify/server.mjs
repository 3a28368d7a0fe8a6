// node examples/fastify/server.mjs: an application of one's own, with the routes of a service below /ct.
import Fastify from 'fastify'
import { createService, serviceRoutes } from 'jcs-ct'

const service = await createService({
  segmenter: process.env.SEGMENTER ?? 'lesions',
  lungs: process.env.LUNGS ?? 'lungs',
  maxActiveCases: 1,
})

const app = Fastify({ logger: { level: 'warn' } })
app.get('/', async () => 'This hospital’s own application.')
await app.register(serviceRoutes, { service, prefix: '/ct', limits: { maxFiles: 1000 } })

console.log(await app.listen({ port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' }))

process.once('SIGTERM', async () => {
  await service.close({ graceMs: 10_000 })
  await app.close()
})
