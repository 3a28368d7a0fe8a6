import { iterateUntilAborted } from '../base/abort'
import { runAhead } from '../base/ahead'
import { availableThreads } from '../base/available-threads'
import { JcsError } from '../base/errors'
import { findDecoder } from './decoders'
import { type ListedSeries, listDicomSeries } from './dicom'
import { gatherDicom, type OpenOptions, openSlices, openSource } from './open'
import { decodePixels, pixelsToMask } from './pixels'
import { encodedSource, isOneSource, type NamedSource, takeSource } from './sources'
import type {
  CaseOptions,
  DecodedImage,
  DecodeOptions,
  Excluded,
  ImageSize,
  ImageSource,
  Images,
  Pixels,
  SliceDecoder,
} from './types'

/** Twice: while the consumer is busy with a slice, no thread waits for the next one to be asked for. */
function defaultConcurrency(): number {
  slicesAhead ??= Math.min(2 * availableThreads(), 8)
  return slicesAhead
}
let slicesAhead: number | undefined // counting threads reads files

export interface DecodeAllOptions extends OpenOptions {
  /** Slices decoded ahead of the consumer. Default: twice the number of processors, at most 8. */
  concurrency?: number | undefined
  /** Called, with `onBadSlice: 'skip'`, for each slice that is left out. */
  onSkip?: ((error: JcsError) => void) | undefined
}

/**
 * Decodes everything in order, a few slices ahead of the consumer. Bytes and pixels given directly or in an array are
 * copied before this function returns; those of other iterables when they are taken from them.
 */
export function decodeAll(
  images: Images,
  options: DecodeAllOptions = {},
): AsyncGenerator<DecodedImage, void, undefined> {
  const { concurrency = defaultConcurrency(), signal } = options
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `concurrency is ${concurrency}; expected a whole number of at least 1`,
    )
  }
  const slices = openSlices(takeSources(images, signal), options)
  if (options.onBadSlice !== 'skip') return runAhead(slices, concurrency, signal)
  return withoutBad(runAhead(settled(slices), concurrency, signal), options)
}

/** The DICOM series in files and directories, from their headers alone. */
export async function listAllSeries(
  images: Images,
  options: DecodeOptions & CaseOptions = {},
): Promise<{ series: ListedSeries[]; excluded: Excluded[] }> {
  const { files, excluded } = await gatherDicom(takeSources(images, options.signal), options.signal)
  if (files.length === 0) throw new JcsError('EMPTY_DATASET', 'there are no DICOM files')
  const found = await listDicomSeries(files, options)
  return { series: found.series, excluded: [...found.excluded, ...excluded] }
}

/** Decoders whose failures are results. */
async function* settled(
  slices: AsyncIterable<SliceDecoder>,
): AsyncGenerator<() => Promise<DecodedImage | JcsError>> {
  for await (const decode of slices) {
    yield () =>
      decode().catch((error: unknown) => {
        if (error instanceof JcsError && error.code !== 'CANCELLED') return error
        throw error
      })
  }
}

/** Throws the first failure where nothing else is left, and where a slice may not be missing. */
async function* withoutBad(
  results: AsyncIterable<DecodedImage | JcsError>,
  { onSkip, onGap }: DecodeAllOptions,
): AsyncGenerator<DecodedImage, void, undefined> {
  let firstError: JcsError | undefined
  let isEmpty = true
  for await (const result of results) {
    if (result instanceof JcsError) {
      if (onGap === 'refuse') {
        throw new JcsError('INCOMPLETE_SERIES', `${result.message}; onGap: 'warn' goes on without it`, {
          cause: result,
        })
      }
      firstError ??= result
      onSkip?.(result)
    } else {
      isEmpty = false
      yield result
    }
  }
  if (isEmpty && firstError) throw firstError
}

/** A lesion or lung mask, row by row: 1 where some channel is nonzero once palette and alpha are resolved, else 0. */
export interface DecodedMask {
  data: Uint8Array
  width: number
  height: number
}

/** The slices of a source that is no directory, one image or a volume, each decoded when called. */
export async function openImages(source: ImageSource, options: DecodeOptions = {}): Promise<SliceDecoder[]> {
  return (await openSource(takeSource(source, 'image'), options)).decoders
}

/** The same for masks. Labels may be of any type. */
export async function openMasks(
  source: ImageSource,
  options: DecodeOptions = {},
): Promise<(() => Promise<DecodedMask>)[]> {
  const taken = takeSource(source, 'mask')
  const toMask = (pixels: Pixels): DecodedMask => ({
    data: pixelsToMask(pixels, taken.name, options),
    width: pixels.width,
    height: pixels.height,
  })
  if (taken.kind === 'pixels') return [async () => toMask(taken.pixels)]
  const { decoders } = await openSource(taken, options)
  return decoders.map((decode) => async () => toMask(await decode()))
}

/**
 * The size of a source that is one image or a volume: existence, readability, format and size are checked from the header,
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
    return { width: source.pixels.width, height: source.pixels.height, slices: 1 }
  }
  const encoded = await encodedSource(source, options.signal)
  return findDecoder(encoded.format).inspect(encoded, options)
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
