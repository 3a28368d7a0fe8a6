export { type DecodedSample, type DecodeSamplesOptions, decodeSamples } from './decode'
export { type ReadDatasetOptions, readDataset, readSamples, type Task } from './read'
export {
  type Folds,
  findOverlap,
  foldsByPatient,
  type Split,
  type SplitOptions,
  splitByPatient,
} from './split'
export type {
  BadSample,
  Dataset,
  DatasetDescription,
  DatasetFormat,
  DatasetSample,
  DatasetSource,
  Label,
  Sample,
} from './types'
