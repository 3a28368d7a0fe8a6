import type { DatasetSource } from './datasets'
import { type EvaluateOptions, evaluateDefaults, refuseThresholds, takeScoring } from './evaluation/options'
import { overDataset } from './evaluation/over-dataset'
import { readSamples, type ScoredSamples } from './evaluation/read-samples'
import { segmentDefaults } from './inference/segmentation'
import type {
  ClassificationMetrics,
  ExplanationMetrics,
  ReliabilityBin,
  SegmentationMetrics,
} from './metrics'
import { type Model, nativeFor, nativeOf } from './model'
import type { NativeScoring } from './native'
import { withoutUndefined } from './run/options'
import { Run, type RunContext } from './run/run'

export type { EvaluateOptions } from './evaluation/options'

interface Evaluated extends ScoredSamples {
  /**
   * 95 % of what each metric is over patients drawn with replacement (percentile bootstrap, Efron and Tibshirani 1993);
   * samples that name no patient are drawn one by one. Of nothing when all are of one patient.
   */
  intervals: Record<string, [low: number, high: number]>
  /** With `bootstrap.draws`: what each metric is in every resample; NaN where it is not defined. */
  draws?: Record<string, number[]>
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

/** What a slice threshold comes to. NaN where a class is missing. */
export interface CaseScores {
  sliceThreshold: number
  accuracy: number
  sensitivity: number
  specificity: number
  /** As of the evaluation: 95 % over patients. */
  intervals: Record<string, [low: number, high: number]>
}

/** Cases as `diagnose` decides them: positive when more slices than the threshold are. */
export interface PatientEvaluation {
  infected: number
  uninfected: number
  thresholds: CaseScores[]
  cases: { patient: string; infected: boolean; slices: number; positiveSlices: number }[]
}

/** Means over the images of `SegmentationMetrics`, at the images' own resolution. */
export interface SegmentationEvaluation extends SegmentationMetrics, Evaluated {
  task: 'segmentation'
  /** `dice` leaves images without lesions out; here they score 1 for an empty prediction and else 0. */
  diceEmptyAsOne: number
  /** 2 TP / (2 TP + FP + FN) of the pixels of all images pooled: large lesions weigh more. */
  dicePooled: number
  /** Pixels of all images pooled, mean of the IoU of lesion and background: the protocol of MiniSeg. */
  mIoU: number
  images: number
  /** Images whose truth is empty. */
  emptyTruth: number
  /** One by one. */
  slices: SliceScores[]
}

/** A slice that has a mask: how well its lesions were outlined, and the lesions of the mask. */
export interface SliceScores {
  /** Among the samples, in the order of the dataset without what was skipped. */
  index: number
  /** 2 TP / (2 TP + FP + FN) at probability > 0.5; 1 where nothing is there and nothing was found. */
  dice: number
  /** TP / (TP + FP + FN), likewise. */
  iou: number
  /** How many: parts of the mask that do not touch, not even at corners. */
  lesions: number
  /** Of all of them. */
  areaPixels: number
  /** The same in mm², where the spacing is known. */
  areaMm2?: number
}

export type Metrics = ClassificationEvaluation | SegmentationEvaluation

/**
 * Scores a model on a dataset. Definitions are those of `metrics`; what they mean per case is in `PatientEvaluation`.
 *
 * @throws JcsError BAD_SAMPLE, EMPTY_DATASET, and whatever reading the dataset gives
 */
export function evaluate(model: Model, data: DatasetSource, options: EvaluateOptions = {}): Run<Metrics> {
  return new Run(async (context) => {
    const scoring = takeScoring(options)
    nativeOf(model)
    const { task } = model
    nativeFor(task, model) // refuses a model that was disposed
    if (task === 'classification') return evaluateClassifier(model, data, options, scoring, context)
    refuseThresholds(options)
    return evaluateSegmenter(model, data, options, scoring, context)
  }, options)
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
  const { probabilities, metrics, intervals, draws, reliability, patients, explanation } = await overDataset(
    (native) => native.evaluateClassifier,
    model,
    store,
    batchSize,
    context,
    {
      threshold,
      sliceThresholds,
      ...scoring,
    },
  )
  context.emit({ phase: 'evaluate', done: rest.samples, total: rest.samples, metrics })
  return {
    task: 'classification',
    ...(metrics as unknown as ClassificationMetrics),
    intervals,
    ...(draws && { draws }),
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
  const { metrics, intervals, draws, slices } = await overDataset(
    (native) => native.evaluateSegmenter,
    model,
    store,
    batchSize,
    context,
    scoring,
  )
  context.emit({ phase: 'evaluate', done: rest.samples, total: rest.samples, metrics })
  return {
    task: 'segmentation',
    ...(metrics as unknown as SegmentationMetrics &
      Record<'diceEmptyAsOne' | 'dicePooled' | 'mIoU' | 'images' | 'emptyTruth', number>),
    intervals,
    ...(draws && { draws }),
    slices: slices as SliceScores[],
    ...rest,
  }
}
