import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Pacs } from '../../ts/index'

/** A request as it came. */
export interface Asked {
  method: string
  /** Without the base, with the query. */
  path: string
  headers: IncomingMessage['headers']
  body: Buffer
}

export type Answer = (response: ServerResponse, asked: Asked) => void

export interface StandIn extends AsyncDisposable {
  /** Of DICOMweb, with tries that follow each other at once. */
  pacs: Pacs
  origin: string
  asked: Asked[]
}

/** An HTTP server on loopback that answers as `answer` says: what no good PACS would do, for one. */
export async function standIn(
  answer: Answer,
  create: (listener: RequestListener) => ReturnType<typeof createServer> = createServer,
): Promise<StandIn> {
  const asked: Asked[] = []
  const server = create((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const one = { method, path: url.replace(/^\/dicom-web\//, ''), headers, body: Buffer.concat(chunks) }
      asked.push(one)
      answer(response, one)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    pacs: { url: `${origin}/dicom-web`, retryDelayMs: 0 },
    origin,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/dicom+json' }).end(JSON.stringify(value))
}

/** A data set of the DICOM JSON model. */
export function dataset(values: Record<string, string | number | readonly unknown[]>): unknown {
  return Object.fromEntries(
    Object.entries(values).map(([tag, value]) => [
      tag,
      { vr: 'UN', Value: Array.isArray(value) ? value : [value] },
    ]),
  )
}

export function multipart(...parts: Uint8Array[]): Buffer {
  return Buffer.concat([
    ...parts.flatMap((part) => [
      Buffer.from('--bound\r\nContent-Type: application/dicom\r\n\r\n'),
      part,
      Buffer.from('\r\n'),
    ]),
    Buffer.from('--bound--\r\n'),
  ])
}

export const multipartType = 'multipart/related; type="application/dicom"; boundary=bound'

/** The series of one study, by UID: its instances by UID. */
export type Archive = Record<string, Record<string, Uint8Array>>

/** What an archive answers that holds this, and nothing against what is asked. */
export function archive(studyUid: string, series: Archive): Answer {
  return (response, { path }) => {
    const { pathname, searchParams } = new URL(path, 'http://pacs/')
    const isLater = Number(searchParams.get('offset') ?? 0) > 0
    const [, , study, , seriesUid = '', what, instanceUid = '', metadata] = pathname.split('/')
    if (study !== studyUid) return json(response, [])
    const instances = series[seriesUid] ?? {}
    if (seriesUid === '')
      return json(
        response,
        isLater
          ? []
          : Object.keys(series).map((uid) =>
              dataset({ '00080060': 'CT', '0020000D': studyUid, '0020000E': uid }),
            ),
      )
    if (what === 'instances' && instanceUid === '')
      return json(response, isLater ? [] : Object.keys(instances).map((uid) => dataset({ '00080018': uid })))
    const file = instances[instanceUid]
    if (!file) return void response.writeHead(404).end()
    if (metadata) return json(response, [dataset({ '00080018': instanceUid })])
    response.writeHead(200, { 'content-type': multipartType }).end(multipart(file))
  }
}
