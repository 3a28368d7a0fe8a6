export type { DicomFile, DicomSource } from './file'
export { heightAlongNormal } from './geometry'
export {
  type DicomSeries,
  type DicomSlice,
  openDicomFile,
  type ReadSeriesOptions,
  readSeries,
  readStacks,
} from './read-series'
export type { Excluded, SeriesDescription } from './series'
