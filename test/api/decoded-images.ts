import { JcsError } from '../../ts/base/errors'
import {
  type DecodeAllOptions,
  type DecodedImage,
  type DecodeOptions,
  decodeAll,
  type ImageSource,
  type Images,
  openImages,
  openMasks,
} from '../../ts/images'
import { grayPng } from './encoded-images'

export const flatGray = (value: number) => grayPng(2, 1, () => value)

export const image = (
  data: DecodedImage['data'],
  width: number,
  height: number,
  channels: 1 | 3,
): DecodedImage => ({ data, width, height, channels })

export async function collect(images: Images, options?: DecodeAllOptions): Promise<DecodedImage[]> {
  const all: DecodedImage[] = []
  for await (const decoded of decodeAll(images, options)) all.push(decoded)
  return all
}

/** The first pixel of each image: enough to see which images came, and in which order. */
export async function firstPixels(images: Images, options?: DecodeAllOptions) {
  return (await collect(images, options)).map(({ data }) => data[0])
}

/** The one slice of a source, as datasets decode it. */
export const decodeImage = async (source: ImageSource, options?: DecodeOptions) =>
  only(await openImages(source, options))()

/** The same of a mask. */
export const decodeMask = async (source: ImageSource, options?: DecodeOptions) =>
  only(await openMasks(source, options))()

function only<T>(slices: readonly T[]): T {
  if (slices.length === 1) return slices[0]!
  throw new JcsError('INVALID_ARGUMENT', `the source holds ${slices.length} slices where one was expected`)
}
