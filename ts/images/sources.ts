import { basename } from 'node:path'
import { addAbortSignal, Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { fileURLToPath } from 'node:url'
import { throwIfAborted } from '../base/abort'
import { JcsError, readError } from '../base/errors'
import { maxFileBytes, readHead, readWhole } from '../base/files'
import { formatOf } from './decoders'
import { copyPixels, isPixels } from './pixels'
import { sniffLength } from './sniff'
import type { Encoded, ImageSource, Images, Pixels } from './types'

/** One source, settled at call time. `name` is what messages call it. */
export type NamedSource = { name: string } & (
  | { kind: 'path'; path: string }
  | { kind: 'address'; url: URL }
  | { kind: 'bytes'; bytes: Uint8Array; label?: string }
  | { kind: 'stream'; stream: Readable | ReadableStream }
  | { kind: 'pixels'; pixels: Pixels }
)

const expected =
  'expected a path, a URL, bytes (Uint8Array), a byte stream or decoded pixels { data, width, height }'

/** Tells one source from an iterable of many. Throws INVALID_TYPE for what is neither. */
export function isOneSource(images: Images): images is ImageSource {
  if (typeof images === 'string' || images instanceof URL || images instanceof ReadableStream) return true
  if (images instanceof ArrayBuffer || ArrayBuffer.isView(images)) return true
  if (typeof images === 'object' && images !== null) {
    if (images instanceof Readable) return !images.readableObjectMode
    if (Symbol.iterator in images || Symbol.asyncIterator in images) return false
    if (isPixels(images)) return true
  }
  throw new JcsError('INVALID_TYPE', `images: got ${describe(images)}; ${expected}, or an iterable of these`)
}

/** A source whose bytes or pixels are its own, so that the caller may reuse its buffers. */
export function copySource(source: ImageSource): ImageSource {
  if (source instanceof Uint8Array) return new Uint8Array(source)
  if (source instanceof ArrayBuffer) return new Uint8Array(source.slice(0))
  return typeof source === 'object' && source !== null && isPixels(source) ? copyPixels(source) : source
}

/** Copies bytes and pixels, so that the caller may reuse its buffers at once. */
export function takeSource(source: ImageSource, name: string): NamedSource {
  if (typeof source === 'string') return takePath(source, name)
  if (source instanceof URL) return takeUrl(source)
  if (source instanceof ReadableStream) return { kind: 'stream', name, stream: source }
  if (source instanceof Readable && !source.readableObjectMode)
    return { kind: 'stream', name, stream: source }
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) {
    return {
      kind: 'bytes',
      name,
      bytes: new Uint8Array(source instanceof ArrayBuffer ? source.slice(0) : source),
    }
  }
  if (typeof source === 'object' && source !== null && isPixels(source)) {
    return { kind: 'pixels', name, pixels: copyPixels(source) }
  }
  throw new JcsError('INVALID_TYPE', `${name}: got ${describe(source)}; ${expected}`)
}

function takePath(path: string, name: string): NamedSource {
  if (/^(https?|file):\/\//i.test(path)) {
    if (!URL.canParse(path))
      throw new JcsError('INVALID_ARGUMENT', `${name}: '${path}' is not a valid address`)
    return takeUrl(new URL(path))
  }
  if (path === '' || path.includes('\0')) {
    throw new JcsError('INVALID_ARGUMENT', `${name}: ${JSON.stringify(path)} is not a path`)
  }
  return { kind: 'path', name: `'${path}'`, path }
}

function takeUrl(url: URL): NamedSource {
  if (url.protocol === 'https:' || url.protocol === 'http:') {
    return { kind: 'address', name: `'${url.origin}${url.pathname}'`, url: new URL(url) }
  }
  if (url.protocol !== 'file:') {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${url.protocol} addresses are not read; use file:, http: or https:`,
    )
  }
  try {
    const path = fileURLToPath(url)
    return { kind: 'path', name: `'${path}'`, path }
  } catch (error) {
    throw new JcsError('INVALID_ARGUMENT', `'${url.href}' names no local file`, { cause: error })
  }
}

/** A source that is neither pixels nor a directory: of a file no more than its head is read. */
export async function encodedSource(
  source: Exclude<NamedSource, { kind: 'pixels' }>,
  signal: AbortSignal | undefined,
): Promise<Encoded> {
  throwIfAborted(signal)
  const { name } = source
  const label = labelOf(source)
  if (source.kind === 'path') {
    const { path } = source
    const format = formatOf(await readHead(path, sniffLength), name)
    return { name, format, path, bytes: () => readWhole(path), ...(label && { label }) }
  }
  const bytes = await readSource(source, signal)
  return {
    name,
    format: formatOf(bytes.subarray(0, sniffLength), name),
    bytes: async () => bytes,
    ...(label && { label }),
  }
}

/** Without the path: what a slice is called goes into reports. */
function labelOf(source: NamedSource): string | undefined {
  if (source.kind === 'bytes') return source.label
  if (source.kind === 'path') return basename(source.path)
  return source.kind === 'address' ? basename(source.url.pathname) : undefined
}

function readSource(
  source: Extract<NamedSource, { kind: 'bytes' | 'address' | 'stream' }>,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> | Uint8Array {
  switch (source.kind) {
    case 'bytes':
      return source.bytes
    case 'address':
      return fetchBytes(source.url, source.name, signal)
    case 'stream':
      return collectStream(source.stream, source.name, signal)
  }
}

async function fetchBytes(url: URL, name: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  let response: Response
  try {
    response = await fetch(url, { signal: signal ?? null })
  } catch (error) {
    throwIfAborted(signal)
    const { message, cause } = error as Error
    const reason = cause instanceof Error ? cause.message : message
    throw new JcsError('FILE_UNREADABLE', `${name} cannot be fetched: ${reason}`, { cause: error })
  }
  const { status, body } = response
  if (!response.ok) {
    await body?.cancel()
    const code = status === 404 || status === 410 ? 'FILE_NOT_FOUND' : 'FILE_UNREADABLE'
    throw new JcsError(
      code,
      `${name} cannot be fetched: the server answered ${status} ${response.statusText}`,
    )
  }
  return body ? collectStream(body as ReadableStream, name, signal) : new Uint8Array()
}

async function collectStream(
  stream: Readable | ReadableStream,
  name: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    const readable = openStream(stream, name)
    if (signal) addAbortSignal(signal, readable)
    for await (const chunk of readable) {
      if (!(chunk instanceof Uint8Array)) {
        throw new JcsError('INVALID_TYPE', `${name}: the stream gives ${describe(chunk)}; it must give bytes`)
      }
      size += chunk.length
      if (size > maxFileBytes) {
        throw new JcsError('INPUT_TOO_LARGE', `${name}: the stream gives more than ${maxFileBytes} bytes`)
      }
      chunks.push(chunk)
    }
  } catch (error) {
    throwIfAborted(signal)
    throw readError(error, name)
  }
  return Buffer.concat(chunks)
}

function openStream(stream: Readable | ReadableStream, name: string): Readable {
  // The declared type leaves out web streams, which the function takes as well.
  const isUsed =
    Readable.isDisturbed(stream as Readable) ||
    (stream instanceof Readable ? stream.destroyed : stream.locked)
  if (isUsed) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${name}: the stream is in use or was read already; a stream can be given once`,
    )
  }
  return stream instanceof Readable ? stream : Readable.fromWeb(stream)
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value
  return Object.prototype.toString.call(value).slice(8, -1)
}
