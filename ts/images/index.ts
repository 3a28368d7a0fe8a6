export { compareNames } from '../base/files'
export type { SeriesDescription } from '../dicom'
export {
  type DecodeAllOptions,
  type DecodedMask,
  decodeAll,
  decodeImage,
  decodeMask,
  inspectImage,
  inspectMask,
  listAllSeries,
  openImages,
  openMasks,
} from './decode'
export { sliceHeightMm } from './dicom'
export { selectImages } from './directory'
export { type ImageFormat, sniff } from './sniff'
export { copySource } from './sources'
export {
  type CaseOptions,
  type DecodedImage,
  type DecodeOptions,
  defaultMaxPixels,
  type Excluded,
  type ImageSize,
  type ImageSource,
  type Images,
  type IntensityWindow,
  type PixelData,
  type Pixels,
  type Series,
  type WindowName,
} from './types'
export { applyWindow, namedWindows, resolveWindow } from './window'
