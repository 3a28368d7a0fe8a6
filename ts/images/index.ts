export { compareNames } from '../base/files'
export type { SeriesFiles, SourceStudy } from '../dicom'
export {
  type DecodeAllOptions,
  type DecodedMask,
  decodeAll,
  inspectImage,
  inspectMask,
  listAllSeries,
  openImages,
  openMasks,
} from './decode'
export type { ListedSeries } from './dicom'
export { selectImages } from './directory'
export type { SliceOrder } from './open'
export { type ImageFormat, sniff } from './sniff'
export { copySource } from './sources'
export {
  type CaseOptions,
  type DecodedImage,
  type DecodeOptions,
  type DecodingOptions,
  defaultMaxPixels,
  type Excluded,
  type ImageSize,
  type ImageSource,
  type Images,
  type IntensityWindow,
  type PixelData,
  type Pixels,
  type Series,
  type Volume,
  type WindowName,
} from './types'
export { applyWindow, namedWindows, resolveWindow } from './window'
