import {
  checkOptions,
  requireKnown,
  requireNumber,
  requireObject,
  requireOneOf,
  requireWhole,
} from './base/check'
import { JcsError } from './base/errors'
import type { DatasetSource } from './datasets'
import { readSamples, type ScoredSamples } from './evaluation/read-samples'
import { classifyDefaults } from './inference/classification'
import { segmentDefaults } from './inference/segmentation'
import { type TestTimeAugmentation, takeTestTimeAugmentation } from './inference/test-time'
import type {
  ClassificationMetrics,
  ExplanationMetrics,
  ReliabilityBin,
  SegmentationMetrics,
} from './metrics'
import { type Model, nativeFor, nativeOf } from './model'
import { type NativeScoring, withNativeCalls } from './native'
import {
  type CommonOptions,
  checkCommonOptions,
  type DecodingOptions,
  datasetCommonNames,
  withoutUndefined,
} from './run/options'
import { Run, type RunContext } from './run/run'

export interface EvaluateOptions extends CommonOptions, DecodingOptions {
  /** Classification: a slice is positive when its probability is above this. Default 0.5. */
  threshold?: number | undefined
  /** Classification, where samples name patients: the slice thresholds to try. Default 15, 20, 25, 30 (table IV). */
  sliceThresholds?: readonly number[] | undefined
  /** Whether a sample that cannot be used stops (default) or is left out and reported. */
  onBadSample?: 'error' | 'skip' | undefined
  /** Flipped and scaled views of each sample, averaged. Default: each once, as it is. */
  testTimeAugmentation?: TestTimeAugmentation | undefined
  /** Of `intervals`: draws of patients, from a seed. Default { resamples: 1000, seed: 0 }; 0 resamples: no intervals. */
  bootstrap?: { resamples?: number | undefined; seed?: number | undefined } | undefined
  /** Default 16 for classification, 4 for segmentation. */
  batchSize?: number | undefined
}

const evaluateDefaults = {
  batchSize: classifyDefaults.batchSize,
  threshold: classifyDefaults.threshold,
  sliceThresholds: [15, 20, 25, 30],
} as const

interface Evaluated extends ScoredSamples {
  /**
   * 95 % of what each metric is over patients drawn with replacement (percentile bootstrap, Efron and Tibshirani 1993);
   * samples that name no patient are drawn one by one. Of nothing when all are of one patient.
   */
  intervals: Record<string, [low: number, high: number]>
}

export interface ClassificationEvaluation extends ClassificationMetrics, Evaluated {
  task: 'classification'
  /** The probability of infection of each sample, in the order of the dataset without what was skipped. */
  probabilities: Float32Array
  /** What these probabilities mean, in 15 bins. */
  reliability: ReliabilityBin[]
  /** Where samples name their patients. */
  patients?: PatientEvaluation
  /** Of the activation maps, where samples have masks with lesions. */
  explanation?: ExplanationEvaluation
}

/** Means over the slices with lesions; what is expected of a random point, over those that have a lung mask too. */
export interface ExplanationEvaluation extends ExplanationMetrics {
  slices: number
}

/** Cases as `diagnose` decides them: positive when more slices than the threshold are. */
export interface PatientEvaluation {
  infected: number
  uninfected: number
  /** NaN where a class is missing. */
  thresholds: { sliceThreshold: number; accuracy: number; sensitivity: number; specificity: number }[]
  cases: { patient: string; infected: boolean; slices: number; positiveSlices: number }[]
}

/** Means over the images of `SegmentationMetrics`, at the images' own resolution. */
export interface SegmentationEvaluation extends SegmentationMetrics, Evaluated {
  task: 'segmentation'
  /** `dice` leaves images without lesions out; here they score 1 for an empty prediction and else 0. */
  diceEmptyAsOne: number
  /** Pixels of all images pooled, mean of the IoU of lesion and background: the protocol of MiniSeg. */
  mIoU: number
  images: number
  /** Images whose truth is empty. */
  emptyTruth: number
}

export type Metrics = ClassificationEvaluation | SegmentationEvaluation

/**
 * Scores a model on a dataset. Definitions are those of `metrics`; what they mean per case is in `PatientEvaluation`.
 *
 * @throws JcsError BAD_SAMPLE, EMPTY_DATASET, and whatever reading the dataset gives
 */
export function evaluate(model: Model, data: DatasetSource, options: EvaluateOptions = {}): Run<Metrics> {
  return new Run(async (context) => {
    checkOptions('options', options, [
      ...datasetCommonNames,
      'threshold',
      'sliceThresholds',
      'onBadSample',
      'testTimeAugmentation',
      'bootstrap',
    ])
    checkCommonOptions(options)
    const { threshold, sliceThresholds, onBadSample } = options
    if (threshold !== undefined) requireNumber('threshold', threshold, 0, 1)
    if (sliceThresholds !== undefined) {
      if (!Array.isArray(sliceThresholds))
        throw new JcsError('INVALID_TYPE', 'sliceThresholds must be an array of whole numbers')
      for (const value of sliceThresholds) requireWhole('every one of sliceThresholds', value, 0)
    }
    if (onBadSample !== undefined) requireOneOf('onBadSample', onBadSample, ['error', 'skip'])
    const scoring = takeScoring(options)
    nativeOf(model)
    const { task } = model
    nativeFor(task, model) // refuses a model that was disposed
    if (task === 'classification') return evaluateClassifier(model, data, options, scoring, context)
    if (threshold !== undefined || sliceThresholds !== undefined)
      throw new JcsError(
        'INVALID_ARGUMENT',
        'threshold and sliceThresholds are for classification; the scores of a segmenter have thresholds of their own',
      )
    return evaluateSegmenter(model, data, options, scoring, context)
  }, options)
}

function takeScoring({ testTimeAugmentation, bootstrap = {} }: EvaluateOptions): NativeScoring {
  requireObject('bootstrap', bootstrap)
  requireKnown('bootstrap', bootstrap, ['resamples', 'seed'])
  const { resamples = 1000, seed = 0 } = bootstrap
  requireWhole('bootstrap.resamples', resamples, 0, 1e6)
  requireWhole('bootstrap.seed', seed, 0)
  return {
    testTimeAugmentation: takeTestTimeAugmentation(testTimeAugmentation),
    resamples,
    bootstrapSeed: seed,
  }
}

async function evaluateClassifier(
  model: Model,
  data: DatasetSource,
  options: EvaluateOptions,
  scoring: NativeScoring,
  context: RunContext,
): Promise<ClassificationEvaluation> {
  const { batchSize, threshold, sliceThresholds } = { ...evaluateDefaults, ...withoutUndefined(options) }
  const { store, ...rest } = await readSamples(model, data, options, context)
  const { probabilities, metrics, intervals, reliability, patients, explanation } = await withNativeCalls(
    context.signal,
    (start) =>
      start((cancellation, native) =>
        native.evaluateClassifier(
          nativeOf(model),
          store.native,
          batchSize,
          cancellation,
          (event) => context.emit(JSON.parse(event)),
          { threshold, sliceThresholds, ...scoring },
        ),
      ),
  )
  context.emit({ phase: 'evaluate', done: rest.samples, total: rest.samples, metrics })
  return {
    task: 'classification',
    ...(metrics as unknown as ClassificationMetrics),
    intervals,
    probabilities,
    reliability: reliability as ReliabilityBin[],
    ...(patients !== undefined && { patients: patients as PatientEvaluation }),
    ...(explanation !== undefined && { explanation: explanation as unknown as ExplanationEvaluation }),
    ...rest,
  }
}

async function evaluateSegmenter(
  model: Model,
  data: DatasetSource,
  options: EvaluateOptions,
  scoring: NativeScoring,
  context: RunContext,
): Promise<SegmentationEvaluation> {
  const { batchSize = segmentDefaults.batchSize } = options
  const { store, ...rest } = await readSamples(model, data, options, context)
  const { metrics, intervals } = await withNativeCalls(context.signal, (start) =>
    start((cancellation, native) =>
      native.evaluateSegmenter(
        nativeOf(model),
        store.native,
        batchSize,
        cancellation,
        (event) => context.emit(JSON.parse(event)),
        scoring,
      ),
    ),
  )
  context.emit({ phase: 'evaluate', done: rest.samples, total: rest.samples, metrics })
  return {
    task: 'segmentation',
    ...(metrics as unknown as SegmentationMetrics &
      Record<'diceEmptyAsOne' | 'mIoU' | 'images' | 'emptyTruth', number>),
    intervals,
    ...rest,
  }
}
