export { compareNames } from '../base/files'
export {
  type DecodeAllOptions,
  type DecodedMask,
  decodeAll,
  decodeImage,
  decodeMask,
  inspectImage,
  inspectMask,
} from './decode'
export { listCase, selectImages } from './directory'
export { applyWindow } from './pixels'
export { type ImageFormat, sniff } from './sniff'
export { copySource } from './sources'
export type { Decoder, SliceDecoder } from './types'
export {
  type DecodedImage,
  type DecodeOptions,
  defaultMaxPixels,
  type ImageSize,
  type ImageSource,
  type Images,
  type IntensityWindow,
  type PixelData,
  type Pixels,
} from './types'
