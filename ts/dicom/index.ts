export type { DicomFile, SourceStudy } from './file'
export {
  type FileIdentity,
  type InstanceReference,
  readIdentity,
  readInstanceUid,
  readReference,
} from './identity'
export { isDicom } from './part10'
export {
  type DicomSeries,
  type DicomSlice,
  openDicomFile,
  type ReadSeriesOptions,
  readSeries,
  readStacks,
  type SeriesFiles,
} from './read-series'
export { encodeRle } from './rle'
export { rleLossless } from './transfer-syntaxes'
export { derivedUid, isValidUid } from './uids'
export { type DicomDataset, decimalString, writeDicom } from './write'
