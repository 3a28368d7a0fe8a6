/**
 * Joint classification and segmentation of chest CT (JCS, IEEE TIP 2021): trains, classifies, segments and diagnoses on
 * a native engine. Research use, not a medical device.
 *
 * @packageDocumentation
 */

export { disclaimer } from './base/disclaimer'
export { JcsError, type JcsErrorCode } from './base/errors'
export { type CalibrateOptions, type Calibration, type CalibrationScores, calibrate } from './calibrate'
export { type ClassifyOptions, classify } from './classify'
export { type CompareOptions, compareDiagnoses, type DiagnosedCase } from './compare-diagnoses'
export { type CrossValidation, crossValidate } from './cross-validate'
export type { ClassifierTraining } from './cross-validation/classifier'
export type { CrossValidationRun } from './cross-validation/directory'
export type { CrossValidateOptions } from './cross-validation/options'
export type { Spread } from './cross-validation/summary'
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
export { type DeviceInfo, devices } from './devices'
export { type DiagnoseOptions, type DiagnosisModels, defaultSliceThreshold, diagnose } from './diagnose'
export { type DiagnoseStudyOptions, diagnoseStudy, type StudyDiagnosis } from './diagnose-study'
export type { Pacs } from './dicomweb'
export {
  type CaseScores,
  type ClassificationEvaluation,
  type EvaluateOptions,
  type ExplanationEvaluation,
  evaluate,
  type Metrics,
  type PatientEvaluation,
  type SegmentationEvaluation,
  type SliceScores,
} from './evaluate'
export type { BootstrapOptions } from './evaluation/bootstrap'
export { type FetchedSeries, fetchSeries, type SeriesAddress } from './fetch-series'
export { type FoundSeries, findSeries, type SeriesQuery } from './find-series'
export { bearerAuthentication, type JwtSettings } from './http/authentication'
export type { Authenticate, UploadLimits } from './http/options'
export type {
  CaseOptions,
  DecodedImage,
  DecodeOptions,
  DecodingOptions,
  Excluded,
  ImageSource,
  Images,
  IntensityWindow,
  PixelData,
  Pixels,
  Series,
  WindowName,
} from './images'
export type { TestTimeAugmentation } from './inference/test-time'
export { type ListedSeries, type ListSeriesOptions, listSeries, type SeriesList } from './list-series'
export {
  type ClassificationMetrics,
  type ExplanationMetrics,
  metrics,
  type ReliabilityBin,
  type SegmentationMetrics,
} from './metrics'
export {
  type CreateModelOptions,
  createModel,
  type LoadModelOptions,
  loadModel,
  type Model,
  type ModelMemory,
  type OnnxOptions,
  type SaveOptions,
  type WeightsSource,
} from './model'
export type { Alternative, Peaks, Profile, ProfileOptions, ProfileStep } from './model/profile'
export type { DeviceName, Precision, RuntimeOptions } from './model/runtime'
export type { ShippedModel } from './model/shipped'
export type { ClassifierNetwork, ModelSpec, Network, SegmenterNetwork } from './model/spec'
export type { ParameterInfo, Tensor } from './native'
export { type Case, openCase } from './open-case'
export { type DiagnosisDocument, diagnosisDocument, type SliceDocument } from './output/diagnosis-document'
export { type DicomKeyImagesOptions, dicomKeyImages } from './output/dicom-key-images'
export { type DicomReportOptions, dicomReport } from './output/dicom-report'
export { type DicomResults, type DicomResultsOptions, dicomResults } from './output/dicom-results'
export { type DicomSegmentationOptions, dicomSegmentation } from './output/dicom-segmentation'
export type { Outlined } from './output/masks'
export { writeWithNewUids } from './output/new-uids'
export { niftiMask } from './output/nifti-mask'
export {
  generateCase,
  type PhantomCase,
  type PhantomCaseOptions,
  type PhantomPixels,
  type PhantomSlice,
} from './phantom'
export { type Quantization, type QuantizedLayer, type QuantizeOptions, quantize } from './quantize'
export {
  type ComparisonReportOptions,
  comparisonReport,
  type DiagnosisReportOptions,
  diagnosisReport,
  type ReportedTraining,
  type TrainingReportOptions,
  trainingReport,
} from './report'
export { reproduce } from './reproduce'
export type { ActivationMaps, ExplainedClassifier } from './reproduction/activation-maps'
export type { Budget, BudgetName } from './reproduction/budget'
export type { CaseThresholds } from './reproduction/case-thresholds'
export type { Example, Examples } from './reproduction/examples'
export type { Experiment } from './reproduction/experiments'
export type { LesionStatistics } from './reproduction/lesion-statistics'
export type { ReproduceOptions } from './reproduction/options'
export type { Reproduction } from './reproduction/result'
export type { ComparedRow, ComparisonTable, Difference } from './reproduction/tables'
export type { Times } from './reproduction/times'
export type { CommonOptions, ImageOptions } from './run/options'
export type * from './run/progress'
export type {
  ActivationMap,
  Amount,
  Classification,
  Comparison,
  Count,
  DiagnosedSlice,
  Diagnosis,
  DiagnosisModel,
  Involvement,
  Lesion,
  LesionChange,
  LungPart,
  Percent,
  Probability,
  Segmentation,
  StoredInstance,
  VolumeLesion,
} from './run/results'
export type { Run, RunOptions } from './run/run'
export { type SegmentOptions, segment } from './segment'
export {
  createService,
  type Service,
  type ServiceClassifyOptions,
  type ServiceDiagnoseOptions,
  type ServiceSegmentOptions,
  type ServiceStatus,
} from './service'
export type { ModelStatus } from './service/models'
export type { BatchEvent, ModelEvent, RequestEvent } from './service/observer'
export type { Priority, RequestOptions, ServiceModel, ServiceOptions } from './service/options'
export { type ServiceRoutesOptions, serviceRoutes } from './service-routes'
export { storeInstances } from './store-instances'
export { type TrainResult, train } from './train'
export type { TrainData, TrainOptions } from './training/options'
export type { PretrainedLayer, PretrainedMatch } from './training/pretrained'
export type {
  AugmentationOptions,
  CheckpointOptions,
  DiceOptions,
  EmaOptions,
  MixupOptions,
  OptimizerOptions,
  ScheduleOptions,
  TrainSettings,
} from './training/settings'
export { type WatchEvent, type WatchedSeries, type WatchOptions, watch } from './watch'
