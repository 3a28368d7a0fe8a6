import { requireNumber, requireWhole } from './base/check'
import { JcsError } from './base/errors'
import { callNativeNow } from './native'

/**
 * Of one map of N pixels against its truth: TP, FP, FN, TN count pixels at probability > 0.5.
 * Published means are means over images of these.
 */
export interface SegmentationMetrics {
  /** 2 TP / (2 TP + FP + FN); 1 when nothing is predicted and nothing is there. */
  dice: number
  /** TP / (TP + FP + FN) */
  iou: number
  /** IoU at probability > 2 · mean, without a cap: the authors' evaluator. */
  iouAdaptive: number
  /** E-measure (Fan et al., IJCAI 2018) at min(2 · mean, 1): PySODMetrics' adaptive E. Denominator N - 1 + eps. */
  eMeasure: number
  /** Mean over 256 thresholds: PySODMetrics' meanE, for one image. */
  eMeasureMean: number
  /** Maximum over 256 thresholds, of this image. */
  eMeasureMax: number
  /** Mean of |probability - truth|. */
  mae: number
  /** TP / (TP + FN) */
  sensitivity: number
  /** TN / (TN + FP) */
  specificity: number
  /**
   * 95th percentile of the distances from the outline of either mask to that of the other, mm: MedPy's hd95. NaN where a
   * mask is empty. Of slices whose spacing is known.
   */
  hd95Mm?: number
  /** The same in pixels, of slices whose spacing is not known. */
  hd95Pixels?: number
  /**
   * Normalised surface distance (Nikolov et al., 2021): the share of both outlines that is at most 3 mm from the other,
   * or 3 pixels where the spacing is not known. 0 where one mask is empty, 1 where both are.
   */
  nsd: number
}

/** Whether the activation map of a slice points at its lesions. A map of zeros explains nothing and scores 0. */
export interface ExplanationMetrics {
  /**
   * 1 when the map's maximum lies in a lesion or at most 15 pixels of a slice 512 long from one, else 0; of several
   * maxima, the share that does. The pointing game of Zhang et al. (IJCV 2018), with its tolerance.
   */
  pointingGame: number
  /** Share of the sum of the map that lies in lesions: the energy-based pointing game (Score-CAM, 2020), by masks. */
  massInLesions: number
  /** What a random point in the lungs would score in the pointing game. NaN where the lungs are not known. */
  pointingGameAtRandom: number
  /** What a map that is even over the lungs would have in lesions. NaN where the lungs are not known. */
  massInLesionsAtRandom: number
}

/** NaN where a class is missing. Positive = infected; TP, FP, FN, TN count samples. */
export interface ClassificationMetrics {
  /** (TP + TN) / all */
  accuracy: number
  /** TP / (TP + FN) */
  sensitivity: number
  /** TN / (TN + FP) */
  specificity: number
  /** 2 TP / (2 TP + FP + FN) */
  f1: number
  /** Area under the ROC curve: the chance that an infected sample scores above an uninfected one; ties count half. */
  auc: number
  /** Expected calibration error (Guo et al., ICML 2017) of the probability of infection, over 15 bins of equal width. */
  ece: number
}

/** What came of the samples whose probability is in (low, high]; the first bin has 0 too. */
export interface ReliabilityBin {
  low: number
  high: number
  samples: number
  /** Of the samples; NaN without any, as is `positives`. */
  meanProbability: number
  /** Share of the samples that are infected: of a calibrated model nearly the mean probability. */
  positives: number
}

/**
 * Scores one lesion map.
 *
 * @param probabilities `height * width` values in [0, 1], row by row
 * @param truth as many; nonzero = lesion
 * @param options.spacing of rows and of columns, mm
 * @throws JcsError INVALID_TYPE, SHAPE_MISMATCH, INVALID_ARGUMENT, NOT_FINITE
 */
function segmentation(
  probabilities: Float32Array,
  truth: Uint8Array,
  width: number,
  height: number,
  options: { spacing?: readonly [row: number, column: number] | undefined } = {},
): SegmentationMetrics {
  const { spacing } = options
  if (spacing !== undefined) {
    if (!Array.isArray(spacing) || spacing.length !== 2)
      throw new JcsError('INVALID_TYPE', 'spacing must be the distance of rows and that of columns, mm')
    for (const distance of spacing) requireNumber('both distances of spacing', distance, 1e-6, 1e6)
  }
  requireWhole('width', width, 1)
  requireWhole('height', height, 1)
  requireLength('probabilities', probabilities, Float32Array, width * height)
  requireLength('truth', truth, Uint8Array, width * height)
  return callNativeNow((native) =>
    native.segmentationMetrics(probabilities, truth, width, height, spacing?.[0], spacing?.[1]),
  ) as unknown as SegmentationMetrics
}

/**
 * Scores probabilities of infection against labels, 0 uninfected and 1 infected; positive when above `threshold`.
 *
 * @throws JcsError INVALID_TYPE, SHAPE_MISMATCH, INVALID_ARGUMENT, NOT_FINITE
 */
function classification(
  probabilities: Float32Array,
  labels: Uint8Array,
  options: { threshold?: number | undefined } = {},
): ClassificationMetrics {
  const { threshold = 0.5 } = options
  requireNumber('threshold', threshold, 0, 1)
  requireLabelled(probabilities, labels)
  return callNativeNow((native) =>
    native.classificationMetrics(probabilities, labels, threshold),
  ) as unknown as ClassificationMetrics
}

/**
 * The reliability diagram: what probabilities of infection mean. Label 0 uninfected, 1 infected.
 *
 * @param options.bins of equal width over [0, 1], at most 1000. Default 15.
 * @throws JcsError INVALID_TYPE, SHAPE_MISMATCH, INVALID_ARGUMENT, NOT_FINITE
 */
function reliability(
  probabilities: Float32Array,
  labels: Uint8Array,
  options: { bins?: number | undefined } = {},
): ReliabilityBin[] {
  const { bins = 15 } = options
  requireWhole('bins', bins, 1, 1000)
  requireLabelled(probabilities, labels)
  return callNativeNow((native) =>
    native.reliabilityDiagram(probabilities, labels, bins),
  ) as unknown as ReliabilityBin[]
}

/**
 * Scores the activation map of one slice, as `classify` gives it with `explain`, against the slice's lesions.
 *
 * @param map `height * width` values of at least 0, row by row
 * @param lesions as many; nonzero = lesion, and there is one
 * @param options.lungs as many; nonzero = lung
 * @throws JcsError INVALID_TYPE, SHAPE_MISMATCH, INVALID_ARGUMENT, NOT_FINITE
 */
function explanation(
  map: Float32Array,
  lesions: Uint8Array,
  width: number,
  height: number,
  options: { lungs?: Uint8Array | undefined } = {},
): ExplanationMetrics {
  const { lungs } = options
  requireWhole('width', width, 1)
  requireWhole('height', height, 1)
  requireLength('map', map, Float32Array, width * height)
  requireLength('lesions', lesions, Uint8Array, width * height)
  if (lungs !== undefined) requireLength('lungs', lungs, Uint8Array, width * height)
  return callNativeNow((native) =>
    native.explanationMetrics(map, lesions, width, height, lungs),
  ) as unknown as ExplanationMetrics
}

function requireLabelled(probabilities: Float32Array, labels: Uint8Array): void {
  requireLength('probabilities', probabilities, Float32Array, undefined)
  requireLength('labels', labels, Uint8Array, probabilities.length)
}

function requireLength(
  name: string,
  array: unknown,
  type: typeof Float32Array | typeof Uint8Array,
  length: number | undefined,
): void {
  if (!(array instanceof type)) throw new JcsError('INVALID_TYPE', `${name} must be a ${type.name}`)
  if (length !== undefined && array.length !== length)
    throw new JcsError('SHAPE_MISMATCH', `${name} has ${array.length} values, ${length} are needed`)
}

/** The functions that `evaluate` uses, one image or one list of scores at a time. */
export const metrics = { segmentation, classification, reliability, explanation }
