import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import { iterateUntilAborted, throwIfAborted } from '../base/abort'
import { runAhead } from '../base/ahead'
import { JcsError } from '../base/errors'
import { isDirectory } from '../base/files'
import { findDecoder } from './decoders'
import { listCase } from './directory'
import { decodePixels, pixelsToMask } from './pixels'
import { isOneSource, type NamedSource, readSource, takeSource } from './sources'
import type {
  DecodedImage,
  DecodeOptions,
  ImageSize,
  ImageSource,
  Images,
  Pixels,
  SliceDecoder,
} from './types'

export interface DecodeAllOptions extends DecodeOptions {
  /** Slices decoded ahead of the consumer. Default: the number of processors, at most 4. */
  concurrency?: number | undefined
  /**
   * Called with the number of slices, and again when it changes, which it does as directories and multi-page files
   * are opened. Not called for iterables whose length cannot be known before they end.
   */
  onTotal?: ((total: number) => void) | undefined
}

/**
 * Decodes everything in order, a few slices ahead of the consumer. Bytes and pixels given directly or in an array are
 * copied before this function returns; those of other iterables when they are taken from them.
 */
export function decodeAll(
  images: Images,
  options: DecodeAllOptions = {},
): AsyncGenerator<DecodedImage, void, undefined> {
  const { concurrency = Math.min(availableParallelism(), 4) } = options
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `concurrency is ${concurrency}; expected a whole number of at least 1`,
    )
  }
  return runAhead(openSlices(takeSources(images, options.signal), options), concurrency, options.signal)
}

/** Decodes a source that is one image. A directory or a file of several pages is an error. */
export async function decodeImage(source: ImageSource, options: DecodeOptions = {}): Promise<DecodedImage> {
  return decodeOne(takeSource(source, 'image'), options)
}

/** A lesion or lung mask: 1 inside, 0 outside, row by row. */
export interface DecodedMask {
  data: Uint8Array
  width: number
  height: number
}

/** Decodes a mask: a pixel is inside when some channel of it is nonzero once palette and alpha are resolved. */
export async function decodeMask(source: ImageSource, options: DecodeOptions = {}): Promise<DecodedMask> {
  const taken = takeSource(source, 'mask')
  const pixels = taken.kind === 'pixels' ? taken.pixels : await decodeOne(taken, options)
  return { data: pixelsToMask(pixels, taken.name, options), width: pixels.width, height: pixels.height }
}

/**
 * Width and height of a source that is one image: existence, readability, format and size are checked from the header,
 * and decoded pixels in full. Streams and addresses can be read only once and give undefined.
 */
export async function inspectImage(
  source: ImageSource,
  options: DecodeOptions = {},
): Promise<ImageSize | undefined> {
  return inspect(takeSource(source, 'image'), options, decodePixels)
}

/** The same for a mask, whose pixels may be labels of any type. */
export async function inspectMask(
  source: ImageSource,
  options: DecodeOptions = {},
): Promise<ImageSize | undefined> {
  return inspect(takeSource(source, 'mask'), options, pixelsToMask)
}

async function inspect(
  source: NamedSource,
  options: DecodeOptions,
  checkPixels: (pixels: Pixels, name: string, options: DecodeOptions) => unknown,
): Promise<ImageSize | undefined> {
  if (source.kind === 'stream' || source.kind === 'address') return undefined
  if (source.kind === 'pixels') {
    checkPixels(source.pixels, source.name, options)
    return { width: source.pixels.width, height: source.pixels.height }
  }
  const bytes = await readSource(source, options.signal)
  return findDecoder(bytes, source.name).inspect(bytes, source.name, options)
}

async function decodeOne(source: NamedSource, options: DecodeOptions): Promise<DecodedImage> {
  const slices = await openSource(source, options)
  if (slices.length !== 1) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${source.name} holds ${slices.length} slices where one was expected`,
    )
  }
  return slices[0]!()
}

type TakenSources = NamedSource[] | AsyncIterable<NamedSource>

function takeSources(images: Images, signal: AbortSignal | undefined): TakenSources {
  if (isOneSource(images)) return [takeSource(images, 'image')]
  if (Array.isArray(images)) return images.map((source, index) => takeSource(source, `image ${index}`))
  return takeEach(images, signal)
}

async function* takeEach(
  images: Iterable<ImageSource> | AsyncIterable<ImageSource>,
  signal: AbortSignal | undefined,
): AsyncGenerator<NamedSource> {
  let index = 0
  for await (const source of iterateUntilAborted(images, signal)) yield takeSource(source, `image ${index++}`)
}

/** Opens sources one after the other: cheap next to decoding, and it keeps one file at a time in memory. */
async function* openSlices(sources: TakenSources, options: DecodeAllOptions): AsyncGenerator<SliceDecoder> {
  let total = Array.isArray(sources) ? sources.length : undefined
  if (total !== undefined) options.onTotal?.(total)
  const replaceOne = (count: number) => {
    if (total === undefined || count === 1) return
    total += count - 1
    options.onTotal?.(total)
  }
  for await (const source of sources) {
    throwIfAborted(options.signal)
    const files = await expandDirectory(source)
    replaceOne(files.length)
    for (const file of files) {
      const slices = await openSource(file, options)
      replaceOne(slices.length)
      yield* slices.map((decode, page) => named(decode, labelOf(file, page, slices.length)))
    }
  }
}

function named(decode: SliceDecoder, source: string | undefined): SliceDecoder {
  return async () => ({ ...(await decode()), ...(source !== undefined && { source }) })
}

/** Without the path: what a slice is called goes into reports. */
function labelOf(source: NamedSource, page: number, pages: number): string | undefined {
  const name =
    source.kind === 'path'
      ? basename(source.path)
      : source.kind === 'address'
        ? basename(source.url.pathname)
        : undefined
  return name === undefined || pages === 1 ? name : `${name}, page ${page + 1}`
}

async function expandDirectory(source: NamedSource): Promise<NamedSource[]> {
  if (source.kind !== 'path' || !(await isDirectory(source.path))) return [source]
  const files = await listCase(source.path)
  return files.map((path) => ({ kind: 'path', name: `'${path}'`, path }))
}

async function openSource(source: NamedSource, options: DecodeOptions): Promise<SliceDecoder[]> {
  if (source.kind === 'pixels') return [async () => decodePixels(source.pixels, source.name, options)]
  const bytes = await readSource(source, options.signal)
  return findDecoder(bytes, source.name).open(bytes, source.name, options)
}
