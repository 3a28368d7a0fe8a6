import { type DecodeAllOptions, type DecodedImage, decodeAll, type Images } from '../../ts/images'
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
