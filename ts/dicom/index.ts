export type { DicomFile } from './file'
export { isDicom } from './part10'
export {
  type DicomSeries,
  type DicomSlice,
  openDicomFile,
  type ReadSeriesOptions,
  readSeries,
  readStacks,
} from './read-series'
