import { availableParallelism } from 'node:os'
import { runAhead } from '../base/ahead'
import { type DecodedImage, type DecodedMask, type DecodeOptions, decodeImage, decodeMask } from '../images'
import { badSampleFrom, badSamplesError } from './bad-samples'
import { requireEqualSize } from './check'
import type { BadSample, DatasetSample } from './types'

export interface DecodeSamplesOptions extends DecodeOptions {
  /** Samples decoded ahead of the consumer. Default: the number of processors, at most 4. */
  concurrency?: number | undefined
  /** Called with each sample that cannot be decoded, which is then left out. Without it, such a sample stops. */
  onSkip?: ((bad: BadSample) => void) | undefined
}

export interface DecodedSample {
  sample: DatasetSample
  image: DecodedImage
  mask?: DecodedMask
}

/** Decodes samples in order, a few ahead of the consumer. */
export async function* decodeSamples(
  samples: readonly DatasetSample[],
  options: DecodeSamplesOptions = {},
): AsyncGenerator<DecodedSample, void, undefined> {
  const { concurrency = Math.min(availableParallelism(), 4), onSkip, signal } = options
  const tasks = samples.map((sample) => async () => {
    try {
      return await decodeSample(sample, options)
    } catch (error) {
      const bad = badSampleFrom(sample.origin, error)
      if (!onSkip) throw badSamplesError([bad])
      return bad
    }
  })
  for await (const result of runAhead(tasks, concurrency, signal)) {
    if ('sample' in result) yield result
    else onSkip?.(result)
  }
}

/** Lung masks were checked by their headers; nothing measures by them yet, so they are not decoded. */
async function decodeSample(sample: DatasetSample, options: DecodeOptions): Promise<DecodedSample> {
  const decoded: DecodedSample = { sample, image: await decodeImage(sample.image, options) }
  if (sample.mask !== undefined) {
    decoded.mask = await decodeMask(sample.mask, options)
    requireEqualSize(sample, 'mask', decoded.image, decoded.mask)
  }
  return decoded
}
