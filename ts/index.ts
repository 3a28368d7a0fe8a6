/**
 * Joint classification and segmentation of chest CT (JCS, IEEE TIP 2021): trains, classifies, segments and diagnoses on
 * a native engine. Research use, not a medical device.
 *
 * @packageDocumentation
 */
export { type ClassifyOptions, classify } from './classify'
export type { CommonOptions, ImageOptions } from './common-options'
export {
  type BadSample,
  type Dataset,
  type DatasetDescription,
  type DatasetFormat,
  type DatasetSample,
  type DatasetSource,
  type Label,
  type ReadDatasetOptions,
  readDataset,
  type Sample,
  type Split,
  type SplitOptions,
  splitByPatient,
  type Task,
} from './datasets'
export {
  generateCase,
  type PhantomCase,
  type PhantomCaseOptions,
  type PhantomPixels,
  type PhantomSlice,
} from './demo/phantom'
export { type DeviceInfo, devices } from './devices'
export {
  type DiagnosedSlice,
  type DiagnoseOptions,
  type Diagnosis,
  defaultSliceThreshold,
  diagnose,
} from './diagnose'
export { disclaimer } from './disclaimer'
export { JcsError, type JcsErrorCode } from './errors'
export {
  type ClassificationEvaluation,
  type EvaluateOptions,
  evaluate,
  type Metrics,
  type PatientEvaluation,
  type SegmentationEvaluation,
} from './evaluate'
export type {
  DecodedImage,
  DecodeOptions,
  ImageSource,
  Images,
  IntensityWindow,
  PixelData,
  Pixels,
} from './images'
export { type ClassificationMetrics, metrics, type SegmentationMetrics } from './metrics'
export {
  type CreateModelOptions,
  createModel,
  type LoadModelOptions,
  loadModel,
  type Model,
  type OnnxOptions,
  type Peaks,
  type Profile,
  type ProfileOptions,
  type ProfileStep,
  type WeightsSource,
} from './model'
export type { ParameterInfo, Tensor } from './native'
export type * from './progress'
export type { ActivationMap, Classification, Lesion, Segmentation } from './results'
export type { Run, RunOptions } from './run'
export type { DeviceName, Precision, RuntimeOptions } from './runtime'
export { type SegmentOptions, segment } from './segment'
export type { ClassifierNetwork, ModelSpec, Network, SegmenterNetwork } from './spec'
export { type TrainResult, train } from './train'
export type {
  AugmentationOptions,
  CheckpointOptions,
  OptimizerOptions,
  ScheduleOptions,
  TrainData,
  TrainOptions,
  TrainSettings,
} from './train-options'
