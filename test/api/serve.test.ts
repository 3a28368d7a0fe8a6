import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { Ajv2020 } from 'ajv/dist/2020'
import type { FastifyInstance } from 'fastify'
import sharp from 'sharp'
import t, { type Test } from 'tap'
import { limitReading } from '../../ts/http/answers'
import { createServer, type ServerOptions } from '../../ts/http/server'
import {
  bearerAuthentication,
  createModel,
  createService,
  type Service,
  type ServiceOptions,
} from '../../ts/index'
import { filesOf } from './dicom-files'
import { count, lower, lungs, networks, scan, trachea, upper } from './lung-scan'
import { classifierSpec, segmenterSpec, smallSlices } from './small'

interface Served {
  url: string
  app: FastifyInstance
  service: Service
  post(path: string, body: FormData | string, init?: RequestInit): Promise<Response>
}

/** A server of small networks on loopback, which ends with the test. */
async function serve(
  t: Test,
  serviceOptions: Partial<ServiceOptions> = {},
  options: Partial<ServerOptions> = {},
): Promise<Served> {
  const models = {
    classifier: await createModel(classifierSpec, { device: 'cpu', precision: 'fp32', seed: 1 }),
    segmenter: await createModel(segmenterSpec, { device: 'cpu', precision: 'fp32', seed: 2 }),
  }
  const service = await createService({ ...models, warmUp: false, ...serviceOptions })
  const app = await createServer({ service, logLevel: 'silent', ...options })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(async () => {
    await app.close()
    await service.close({ graceMs: 100 })
  })
  return {
    url,
    app,
    service,
    post: (path, body, init = {}) => fetch(url + path, { method: 'POST', body, ...init }),
  }
}

let pngs: Buffer[] = []
t.before(async () => {
  pngs = await Promise.all(
    smallSlices(4).map(({ data, width, height }) =>
      sharp(data as Uint8Array, { raw: { width, height, channels: 1 } })
        .png()
        .toBuffer(),
    ),
  )
})

function form(count: number, options?: object): FormData {
  const body = new FormData()
  if (options) body.append('options', JSON.stringify(options))
  for (let i = 0; i < count; i++)
    body.append('images', new Blob([new Uint8Array(pngs[i % pngs.length]!)]), `Doe^John ${i}.png`)
  return body
}

async function errorOf(response: Response) {
  const { error } = (await response.json()) as {
    error: { code: string; message: string; requestId: string; retryAfterMs?: number }
  }
  return { status: response.status, ...error }
}

/** The events of a stream, in order. */
async function eventsOf(response: Response): Promise<[string, Record<string, unknown>][]> {
  const text = await response.text()
  return [...text.matchAll(/^event: (.*)\ndata: (.*)$/gm)].map(([, name = '', data = '']) => [
    name,
    JSON.parse(data),
  ])
}

t.test('slices are classified and segmented as the service does it', async (t) => {
  const { post, service } = await serve(t)
  const response = await post('/v1/classify', form(3, { explain: true }))
  t.equal(response.status, 200)
  const { results } = (await response.json()) as {
    results: { image: string; probability: number; activationMap: string }[]
  }
  const expected = await service.classify(pngs)
  t.equal(results.length, 3)
  for (const [index, { image, probability, activationMap }] of results.entries()) {
    t.equal(image, `Doe^John ${index}.png`)
    t.ok(Math.abs(probability - expected[index]!.probability) < 1e-5)
    const png = Buffer.from(activationMap.split(',')[1]!, 'base64')
    t.match(await sharp(png).metadata(), { format: 'png', width: 64, height: 64 })
  }

  const segmented = await post('/v1/segment', form(2, { threshold: 0.4 }))
  const [first] = ((await segmented.json()) as { results: { mask: string; areaPixels: number }[] }).results
  const mask = sharp(Buffer.from(first!.mask.split(',')[1]!, 'base64'))
  t.match(await mask.metadata(), { format: 'png', channels: 1 })
  const data = await mask.extractChannel(0).raw().toBuffer()
  const [own] = await service.segment(pngs.slice(0, 1), { threshold: 0.4 })
  t.equal(first!.areaPixels, own!.areaPixels)
  t.same(
    [...data].map((value) => value / 255),
    [...own!.mask],
  )
})

t.test('a scanner’s files become a case, with a report where one is asked for', async (t) => {
  const { lungs: lungModel, segmenter } = await networks(t.testdir())
  const { post } = await serve(t, { classifier: undefined, segmenter, lungs: lungModel })
  const body = (options: object) => {
    const data = new FormData()
    data.append('options', JSON.stringify(options))
    for (const [name, bytes] of Object.entries(filesOf(scan([...lungs, trachea, upper, lower]))).reverse())
      data.append('images', new Blob([new Uint8Array(bytes)]), name)
    return data
  }
  const options = { sliceThreshold: 7 }
  const json = (await (await post('/v1/diagnose', body(options))).json()) as Record<string, never>
  t.match(json, { totalSlices: count, involvement: { severityScore: Number }, series: { modality: 'CT' } })
  t.notOk('report' in json)
  const page = await post('/v1/diagnose', body({ ...options, report: true }), {
    headers: { accept: 'text/html' },
  })
  t.match(page.headers.get('content-type'), 'text/html')
  t.match(await page.text(), /<!doctype html>[\s\S]*Diagnosis of a case/)

  const stream = await post('/v1/diagnose', body(options), { headers: { accept: 'text/event-stream' } })
  const events = await eventsOf(stream)
  t.equal(events.at(-1)![0], 'result')
  t.match(events.at(-1)![1], { totalSlices: count })
  const phases = new Set(events.filter(([name]) => name === 'progress').map(([, { phase }]) => phase))
  t.same([...phases].sort(), ['decode', 'lungs', 'segment'])
})

t.test('what is wrong is told as an error with a code', async (t) => {
  const { post, url } = await serve(t, {}, { limits: { maxFiles: 3, maxBytes: 200_000 } })
  const refused = async (
    response: Response | Promise<Response>,
    status: number,
    code: string,
    message?: RegExp,
  ) => {
    const answer = await response
    const error = await errorOf(answer)
    t.match(error, { status, code, ...(message && { message }) }, `${status} ${code}`)
    t.equal(answer.headers.get('x-request-id'), error.requestId)
  }
  const other = new FormData()
  other.append('pictures', new Blob(['x']))
  const bad = new FormData()
  bad.append('options', '[1')
  const damaged = new FormData()
  damaged.append('images', new Blob([new Uint8Array(pngs[0]!.subarray(0, 200))]), 'cut.png')
  const unknown = new FormData()
  unknown.append('images', new Blob(['hello']), 'hello.txt')
  const large = new FormData()
  large.append('images', new Blob([new Uint8Array(300_000)]), 'large')
  await refused(post('/v1/classify', form(0, {})), 400, 'INVALID_ARGUMENT', /no file/)
  await refused(post('/v1/classify', other), 400, 'INVALID_ARGUMENT', /'pictures'/)
  await refused(post('/v1/classify', bad), 400, 'INVALID_ARGUMENT', /JSON object/)
  await refused(post('/v1/classify', form(1, { batchSize: 2 })), 400, 'INVALID_ARGUMENT', /batchSize/)
  await refused(post('/v1/classify', form(1, { threshold: 2 })), 400, 'INVALID_ARGUMENT', /threshold/)
  await refused(post('/v1/classify', form(1, { model: 'none' })), 400, 'INVALID_ARGUMENT', /'none'/)
  await refused(post('/v1/classify', damaged), 422, 'CORRUPT_FILE')
  await refused(post('/v1/classify', unknown), 415, 'UNSUPPORTED_FORMAT')
  await refused(post('/v1/classify', large), 413, 'INPUT_TOO_LARGE', /200000 bytes/)
  await refused(post('/v1/classify', form(4)), 413, 'INPUT_TOO_LARGE', /files/)
  await refused(post('/v1/diagnose', form(2)), 422, 'CASE_TOO_SMALL')
  await refused(post('/v1/classify', 'text'), 415, 'UNSUPPORTED_FORMAT')
  const json = { headers: { 'content-type': 'application/json' } }
  await refused(post('/v1/diagnose', '{"study":"1.2"}', json), 400, 'INVALID_ARGUMENT', /archive/)
  await refused(post('/v1/diagnose', '{', json), 400, 'INVALID_ARGUMENT')
  await refused(fetch(`${url}/v1/classify`), 404, 'FILE_NOT_FOUND', /GET \/v1\/classify/)
  const boundary = { headers: { 'content-type': 'multipart/form-data; boundary=x' } }
  await refused(post('/v1/classify', '--x\r\nnonsense', boundary), 400, 'INVALID_ARGUMENT')

  const [last] = (
    await eventsOf(await post('/v1/diagnose', form(2), { headers: { accept: 'text/event-stream' } }))
  ).slice(-1)
  t.match(last, ['error', { code: 'CASE_TOO_SMALL' }])
  t.equal((await post('/v1/classify', form(2))).status, 200, 'and it still works')
})

t.test('beyond what it takes at a time it refuses, before it receives', async (t) => {
  const { post, service } = await serve(t, { maxActive: 1, maxQueue: 1 })
  const long = service.segment(smallSlices(100))
  const waiting = service.segment(smallSlices(1))
  const refused = await post('/v1/classify', form(1))
  t.equal(refused.status, 429)
  t.ok(Number(refused.headers.get('retry-after')) >= 1)
  t.ok((await errorOf(refused)).retryAfterMs! > 0)
  long.cancel()
  await Promise.allSettled([long, waiting])
  t.equal((await post('/v1/classify', form(1))).status, 200)
})

t.test('who may ask', async (t) => {
  const { SignJWT } = await import('jose')
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = publicKey.export({ type: 'spki', format: 'pem' })
  const authenticate = bearerAuthentication({
    apiKeys: new Map([['ward 3', 'correct horse battery']]),
    jwt: { key: pem, issuer: 'https://login.example', audience: 'jcs' },
  })
  const { post, url } = await serve(t, {}, { authenticate })
  const statusWith = async (token?: string) => {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return (await post('/v1/classify', form(1), { headers })).status
  }
  const token = (claims: object, key: unknown = privateKey, alg = 'ES256') =>
    new SignJWT({ ...claims }).setProtectedHeader({ alg }).sign(key as never)
  const now = Math.floor(Date.now() / 1000)
  const good = { sub: 'anna', iss: 'https://login.example', aud: 'jcs', exp: now + 60 }
  t.equal(await statusWith(), 401)
  t.equal(await statusWith('correct horse batterx'), 401)
  t.equal(await statusWith('correct horse battery'.replaceAll(' ', '')), 401)
  t.equal(await statusWith(await token(good)), 200)
  t.equal(await statusWith(await token({ ...good, exp: now - 60 })), 401, 'expired')
  t.equal(await statusWith(await token({ ...good, iss: 'https://else.example' })), 401)
  t.equal(await statusWith(await token({ ...good, aud: 'other' })), 401)
  t.equal(await statusWith(await token({ ...good, sub: undefined })), 401)
  t.equal(await statusWith(await token({ ...good, exp: undefined })), 401, 'one that never expires')
  t.equal(
    await statusWith(await token(good, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)),
    401,
  )
  t.equal(
    await statusWith(await token(good, new TextEncoder().encode(String(pem)), 'HS256')),
    401,
    'the public key is no secret',
  )
  const refused = await post('/v1/classify', form(1))
  t.equal(refused.headers.get('www-authenticate'), 'Bearer')
  t.match(await errorOf(refused), { code: 'UNAUTHORIZED' })
  for (const path of ['/health', '/ready', '/metrics', '/openapi.json', '/'])
    t.equal((await fetch(url + path)).status, 200, path)

  t.equal(
    await bearerAuthentication({ apiKeys: new Map([['a', '0123456789abcdef']]) })('Bearer 0123456789abcdef'),
    'a',
  )
  const secret = '0123456789abcdef0123456789abcdef'
  const signed = await token(good, new TextEncoder().encode(secret), 'HS256')
  t.equal(await bearerAuthentication({ jwt: { key: secret } })(`Bearer ${signed}`), 'anna')
  t.throws(() => bearerAuthentication({ apiKeys: new Map([['a', 'short']]) }), { code: 'INVALID_ARGUMENT' })
  t.throws(() => bearerAuthentication({ jwt: { key: 'short' } }), { code: 'INVALID_ARGUMENT' })
})

const temporary = () => readdirSync(tmpdir()).filter((name) => name.startsWith('jcs-')).length

t.test('a client that goes is not worked for any longer, one that is too slow not waited for', async (t) => {
  const { post, service, url } = await serve(t, { maxActive: 1 }, { limits: { uploadTimeoutMs: 300 } })
  const before = temporary()
  const controller = new AbortController()
  const gone = post('/v1/segment', form(60), {
    signal: controller.signal,
    headers: { accept: 'text/event-stream' },
  })
  const reader = (await gone).body!.getReader()
  await reader.read()
  controller.abort()
  while (service.status().active > 0) await new Promise((resolve) => setTimeout(resolve, 5))

  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(
    'POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n--x\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\nabc',
  )
  const [answer] = (await once(socket, 'data')) as [Buffer]
  t.match(String(answer), /^HTTP\/1\.1 504/)
  t.match(String(answer), 'DEADLINE_EXCEEDED')
  socket.destroy()

  const silent = connect(Number(port), hostname)
  silent.write(
    'POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n',
  )
  const [late] = (await once(silent, 'data')) as [Buffer]
  t.match(String(late), /^HTTP\/1\.1 504/, 'one that sends nothing at all')
  silent.destroy()

  const halfway = connect(Number(port), hostname)
  halfway.write(
    'POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n--x\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\nabc',
  )
  await new Promise((resolve) => setTimeout(resolve, 50))
  halfway.destroy()
  for (let i = 0; i < 200 && temporary() > before; i++)
    await new Promise((resolve) => setTimeout(resolve, 10))
  t.equal(temporary(), before, 'nothing of theirs is left')
  t.equal((await post('/v1/classify', form(1))).status, 200)
})

t.test('a client that does not read its answer does not keep it in memory', async (t) => {
  const server = createHttpServer((_request, response) => {
    limitReading(response, 100)
    response.end(Buffer.alloc(64 * 2 ** 20))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.pause()
  socket.on('error', () => {})
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const [connection] = (await once(server, 'connection')) as [Socket]
  await once(connection, 'close')
  t.ok(connection.destroyed)
  socket.destroy()
})

t.test('a flood is answered one by one, and leaves nothing behind', async (t) => {
  const { post, service } = await serve(t, { maxActive: 4, maxQueue: 4 }, { limits: { maxUploads: 4 } })
  const before = temporary()
  const statuses = new Map<number, number>()
  const flood = async (requests: number) => {
    const answers = Array.from({ length: requests }, async () => {
      const response = await post('/v1/classify', form(2))
      await response.text()
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
    })
    await Promise.all(answers)
  }
  await flood(100)
  const grown = process.memoryUsage().rss
  for (let round = 0; round < 4; round++) await flood(100)
  t.same([...statuses.keys()].sort(), [200, 429])
  t.equal(statuses.get(200)! + statuses.get(429)!, 500)
  t.match(service.status(), { waiting: 0, active: 0 })
  t.equal(temporary(), before)
  // Of 400 requests with their files and answers; those of one that stayed would be 400 times its own.
  t.ok(process.memoryUsage().rss - grown < 64 * 2 ** 20)
})

t.test('the document of its routes is sound OpenAPI, and answers are as it says', async (t) => {
  const { url, post, service } = await serve(t)
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
    components: { schemas: Record<string, object> }
    paths: Record<string, object>
  }
  const { Validator } = await import('@seriousme/openapi-schema-validator')
  const { valid, errors } = await new Validator().validate(structuredClone(document) as never)
  t.ok(valid, JSON.stringify(errors))
  t.same(Object.keys(document.paths).sort(), [
    '/health',
    '/metrics',
    '/ready',
    '/v1/classify',
    '/v1/diagnose',
    '/v1/segment',
  ])
  const ajv = new Ajv2020({ strict: false })
  ajv.addSchema({ $id: 'api', components: document.components })
  const matches = async (name: string, response: Promise<Response>) => {
    const validate = ajv.compile({ $ref: `api#/components/schemas/${name}` })
    t.ok(validate(await (await response).json()), `${name}: ${JSON.stringify(validate.errors)}`)
  }
  await matches('ClassifyAnswer', post('/v1/classify', form(2, { explain: true })))
  await matches('SegmentAnswer', post('/v1/segment', form(2)))
  const diagnose = { sliceThreshold: 1, report: true }
  await matches('DiagnoseAnswer', post('/v1/diagnose', form(3, diagnose)))
  await matches('Error', post('/v1/diagnose', form(3)))
  await matches('Ready', fetch(`${url}/ready`))
  t.match(await (await fetch(`${url}/metrics`)).text(), 'jcs_requests_total{kind="classify",outcome="ok"} 1')

  service.close()
  t.equal((await fetch(`${url}/ready`)).status, 503)
  const closed = await post('/v1/classify', form(1))
  t.equal(closed.status, 503)
  t.ok(closed.headers.get('retry-after'))
  t.match(await errorOf(closed), { code: 'SERVICE_CLOSED' })
  t.equal((await fetch(`${url}/health`)).status, 200)
})
