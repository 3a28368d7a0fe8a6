import { availableParallelism } from 'node:os'
import { runAhead } from '../base/ahead'
import { type DecodedImage, type DecodedMask, type DecodeOptions, openImages, openMasks } from '../images'
import { badSampleFrom, badSamplesError } from './bad-samples'
import { requireEqualSize } from './check'
import type { BadSample, DatasetSample } from './types'

export interface DecodeSamplesOptions extends DecodeOptions {
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
}

/** Decodes samples in order, a few ahead of the consumer. A sample that is a volume gives all of its slices. */
export async function* decodeSamples(
  samples: readonly DatasetSample[],
  options: DecodeSamplesOptions = {},
): AsyncGenerator<DecodedSample, void, undefined> {
  const { concurrency = Math.min(availableParallelism(), 4), onSkip, signal } = options
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

/** Lung masks were checked by their headers; nothing measures by them yet, so they are not decoded. */
async function openSample(
  sample: DatasetSample,
  options: DecodeOptions,
): Promise<(() => Promise<DecodedSample>)[]> {
  const images = await openImages(sample.image, options)
  if (sample.mask === undefined)
    return images.map((decode) => async () => ({ sample, image: await decode() }))
  const masks = await openMasks(sample.mask, options)
  const slices = { image: images.length, mask: masks.length }
  return images.map((decodeOne, index) => async () => {
    const image = await decodeOne()
    const mask = await (masks[index] ?? masks[0]!)()
    requireEqualSize(sample, 'mask', { ...image, slices: slices.image }, { ...mask, slices: slices.mask })
    return { sample, image, mask }
  })
}
