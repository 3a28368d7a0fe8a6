export type { DicomFile } from './file'
export {
  type DicomSeries,
  type DicomSlice,
  openDicomFile,
  type ReadSeriesOptions,
  readSeries,
  readStacks,
} from './read-series'
