import { runAhead } from '../base/ahead'
import { availableThreads } from '../base/available-threads'
import {
  type DecodedImage,
  type DecodedMask,
  type DecodeOptions,
  type ImageSize,
  openImages,
  openMasks,
} from '../images'
import { badSampleFrom, badSamplesError } from './bad-samples'
import { requireEqualSize } from './check'
import type { BadSample, DatasetSample } from './types'

export interface DecodeSamplesOptions extends DecodeOptions {
  /** Whether lung masks are decoded too. Default false. */
  lungs?: boolean | undefined
  /** Samples decoded ahead of the consumer. Default: the number of processors, at most 4. */
  concurrency?: number | undefined
  /** Called with each sample that cannot be decoded, which is then left out. Without it, such a sample stops. */
  onSkip?: ((bad: BadSample) => void) | undefined
  /** Called when a sample was opened, with how many slices it holds. */
  onOpen?: ((slices: number) => void) | undefined
}

export interface DecodedSample {
  sample: DatasetSample
  image: DecodedImage
  mask?: DecodedMask
  lungs?: DecodedMask
}

/** Decodes samples in order, a few ahead of the consumer. A sample that is a volume gives all of its slices. */
export async function* decodeSamples(
  samples: readonly DatasetSample[],
  options: DecodeSamplesOptions = {},
): AsyncGenerator<DecodedSample, void, undefined> {
  const { concurrency = Math.min(availableThreads(), 4), onSkip, signal } = options
  for await (const result of runAhead(sliceTasks(samples, options), concurrency, signal)) {
    if ('sample' in result) yield result
    else if (onSkip) onSkip(result)
    else throw badSamplesError([result])
  }
}

/** What decodes each slice of each sample, or says what is bad about it. */
async function* sliceTasks(
  samples: readonly DatasetSample[],
  options: DecodeSamplesOptions,
): AsyncGenerator<() => Promise<DecodedSample | BadSample>> {
  for (const sample of samples) {
    const bad = (error: unknown) => badSampleFrom(sample.origin, error)
    try {
      const decoders = await openSample(sample, options)
      options.onOpen?.(decoders.length)
      yield* decoders.map((decode) => () => decode().catch(bad))
    } catch (error) {
      yield async () => bad(error)
    }
  }
}

async function openSample(
  sample: DatasetSample,
  options: DecodeSamplesOptions,
): Promise<(() => Promise<DecodedSample>)[]> {
  const images = await openImages(sample.image, options)
  const masks = await openMasksOf(sample, 'mask', options)
  const lungs = options.lungs ? await openMasksOf(sample, 'lung', options) : undefined
  return images.map((decodeOne, index) => async () => {
    const image = await decodeOne()
    const size = { ...image, slices: images.length }
    const mask = await masks?.(index, size)
    const lungMask = await lungs?.(index, size)
    return { sample, image, ...(mask && { mask }), ...(lungMask && { lungs: lungMask }) }
  })
}

/** What decodes the mask of each slice and compares its size with the image's. */
async function openMasksOf(
  sample: DatasetSample,
  part: 'mask' | 'lung',
  options: DecodeOptions,
): Promise<((index: number, image: ImageSize) => Promise<DecodedMask>) | undefined> {
  const source = sample[part]
  if (source === undefined) return undefined
  const masks = await openMasks(source, options)
  return async (index, image) => {
    const mask = await (masks[index] ?? masks[0]!)()
    requireEqualSize(sample, part, image, { ...mask, slices: masks.length })
    return mask
  }
}
