import { checkOptions, requireNumber, requireOneOf, requireWhole } from './base/check'
import { JcsError } from './base/errors'
import { undefinedAsNaN } from './base/json'
import { classifyDefaults } from './classify'
import { type BadSample, type DatasetSource, readDataset } from './datasets'
import { type ClassificationMetrics, metrics, type SegmentationMetrics } from './metrics'
import { type Model, nativeFor, nativeOf } from './model'
import { withNativeCalls } from './native'
import {
  type CommonOptions,
  checkCommonOptions,
  commonNames,
  type ImageOptions,
  withoutUndefined,
} from './run/options'
import { Run, type RunContext } from './run/run'
import { segmentDefaults } from './segment'
import { packAll } from './training/pack'

export interface EvaluateOptions extends CommonOptions, ImageOptions {
  /** Classification: a slice is positive when its probability is above this. Default 0.5. */
  threshold?: number | undefined
  /** Classification, where samples name patients: the slice thresholds to try. Default 15, 20, 25, 30 (table IV). */
  sliceThresholds?: readonly number[] | undefined
  /** Whether a sample that cannot be used stops (default) or is left out and reported. */
  onBadSample?: 'error' | 'skip' | undefined
  /** Default 16 for classification, 4 for segmentation. */
  batchSize?: number | undefined
}

interface Evaluated {
  samples: number
  warnings: string[]
  skipped: BadSample[]
}

export interface ClassificationEvaluation extends ClassificationMetrics, Evaluated {
  task: 'classification'
  /** The probability of infection of each sample, in the order of the dataset without what was skipped. */
  probabilities: Float32Array
  /** Where samples name their patients. */
  patients?: PatientEvaluation
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
    checkOptions('options', options, [...commonNames, 'threshold', 'sliceThresholds', 'onBadSample'])
    checkCommonOptions(options)
    const { threshold = 0.5, sliceThresholds = [15, 20, 25, 30], onBadSample } = options
    requireNumber('threshold', threshold, 0, 1)
    if (!Array.isArray(sliceThresholds))
      throw new JcsError('INVALID_TYPE', 'sliceThresholds must be an array of whole numbers')
    for (const value of sliceThresholds) requireWhole('every one of sliceThresholds', value, 0)
    if (onBadSample !== undefined) requireOneOf('onBadSample', onBadSample, ['error', 'skip'])
    nativeOf(model)
    const { task } = model
    nativeFor(task, model) // refuses a model that was disposed
    return task === 'classification'
      ? evaluateClassifier(model, data, { ...options, threshold, sliceThresholds }, context)
      : evaluateSegmenter(model, data, options, context)
  }, options)
}

async function evaluateClassifier(
  model: Model,
  data: DatasetSource,
  options: EvaluateOptions & { threshold: number; sliceThresholds: readonly number[] },
  context: RunContext,
): Promise<ClassificationEvaluation> {
  const batchSize = options.batchSize ?? classifyDefaults.batchSize
  const { samples, warnings, skipped, result } = await runNative(model, data, options, batchSize, context)
  const probabilities = Float32Array.from(result.probabilities ?? [])
  const labels = Uint8Array.from(samples, ({ label }) => label!)
  const scores = metrics.classification(probabilities, labels, { threshold: options.threshold })
  const patients = byPatient(samples, probabilities, options)
  const evaluation: ClassificationEvaluation = {
    task: 'classification',
    samples: samples.length,
    ...scores,
    probabilities,
    ...(patients && { patients }),
    warnings,
    skipped,
  }
  const { accuracy, sensitivity, specificity, f1, auc } = scores
  const reported = { accuracy, sensitivity, specificity, f1, auc }
  context.emit({ phase: 'evaluate', done: samples.length, total: samples.length, metrics: reported })
  return evaluation
}

async function evaluateSegmenter(
  model: Model,
  data: DatasetSource,
  options: EvaluateOptions,
  context: RunContext,
): Promise<SegmentationEvaluation> {
  const batchSize = options.batchSize ?? segmentDefaults.batchSize
  const { samples, warnings, skipped, result } = await runNative(model, data, options, batchSize, context)
  const scores = undefinedAsNaN(result.metrics ?? {})
  context.emit({ phase: 'evaluate', done: samples.length, total: samples.length, metrics: scores })
  return {
    task: 'segmentation',
    samples: samples.length,
    ...(scores as unknown as SegmentationMetrics &
      Record<'diceEmptyAsOne' | 'mIoU' | 'images' | 'emptyTruth', number>),
    warnings,
    skipped,
  }
}

async function runNative(
  model: Model,
  data: DatasetSource,
  options: EvaluateOptions,
  batchSize: number,
  context: RunContext,
) {
  const { signal, emit } = context
  const { task } = model
  const { onBadSample, window, maxPixels } = withoutUndefined(options)
  const dataset = await readDataset(data, { task, onBadSample, window, maxPixels, signal })
  const [packed] = await packAll([dataset.samples], options, context)
  const text = await withNativeCalls(signal, (start) =>
    start((cancellation, native) =>
      native.evaluate(nativeOf(model), packed!.data, batchSize, cancellation, (event) =>
        emit(JSON.parse(event)),
      ),
    ),
  )
  return {
    samples: packed!.samples,
    warnings: dataset.warnings,
    skipped: [...dataset.skipped, ...packed!.skipped],
    result: JSON.parse(text) as { probabilities?: number[]; metrics?: Record<string, number | null> },
  }
}

function byPatient(
  samples: readonly { patient?: string | undefined; label?: number | undefined }[],
  probabilities: Float32Array,
  { threshold, sliceThresholds }: { threshold: number; sliceThresholds: readonly number[] },
): PatientEvaluation | undefined {
  const cases = new Map<string, PatientEvaluation['cases'][number]>()
  samples.forEach(({ patient, label }, index) => {
    if (patient === undefined) return
    const known = cases.get(patient) ?? { patient, infected: false, slices: 0, positiveSlices: 0 }
    cases.set(patient, known)
    known.slices++
    if (label === 1) known.infected = true
    if (probabilities[index]! > threshold) known.positiveSlices++
  })
  if (cases.size === 0) return undefined
  const all = [...cases.values()]
  const infected = all.filter((entry) => entry.infected)
  const uninfected = all.filter((entry) => !entry.infected)
  const share = (part: number, whole: number) => (whole === 0 ? Number.NaN : part / whole)
  return {
    infected: infected.length,
    uninfected: uninfected.length,
    thresholds: sliceThresholds.map((sliceThreshold) => {
      const isPositive = ({ positiveSlices }: { positiveSlices: number }) => positiveSlices > sliceThreshold
      const truePositives = infected.filter(isPositive).length
      const trueNegatives = uninfected.filter((entry) => !isPositive(entry)).length
      return {
        sliceThreshold,
        accuracy: share(truePositives + trueNegatives, all.length),
        sensitivity: share(truePositives, infected.length),
        specificity: share(trueNegatives, uninfected.length),
      }
    }),
    cases: all,
  }
}
