import {
  checkOptions,
  requireBoolean,
  requireKnown,
  requireNumber,
  requireObject,
  requireWhole,
} from '../base/check'
import { JcsError } from '../base/errors'
import { classifyDefaults } from '../inference/classification'
import { segmentDefaults } from '../inference/segmentation'
import {
  type CommonOptions,
  checkCommonOptions,
  commonNames,
  type ImageOptions,
  withoutUndefined,
} from '../run/options'

/** Table IV of the paper. */
export const defaultSliceThreshold = 25

export interface DiagnoseOptions extends CommonOptions, ImageOptions {
  /**
   * A case is positive when more slices than this are positive. Default 25, for thin slices of a whole chest. In
   * millimetres it suits any distance of slices: positive slices that make up more than that; the result says how many
   * slices it came to.
   */
  sliceThreshold?: number | { millimetres: number } | undefined
  /** Activation maps of all slices, equations (1) and (2) of the paper; needs a classifier. Default false. */
  explain?: boolean | undefined
  /** A slice is positive when its probability is above this. Default 0.5. */
  classificationThreshold?: number | undefined
  /** Without a classifier: a slice is positive when its lesions, inside the lungs, are larger. Default: the segmenter's. */
  minLesionAreaMm2?: number | undefined
  /** A pixel is lesion when its probability is above this. Default 0.5. */
  segmentationThreshold?: number | undefined
  /** The lesion probability of every pixel as well. Default false. */
  probabilities?: boolean | undefined
  /** Lesions of fewer pixels are left out of `lesions`; the mask keeps them. Default 1: none is. */
  minAreaPixels?: number | undefined
  /** Of all networks. Default 16 for the classifier, 4 for the others. */
  batchSize?: number | undefined
}

const diagnosisNames = [
  'sliceThreshold',
  'explain',
  'classificationThreshold',
  'minLesionAreaMm2',
  'segmentationThreshold',
  'probabilities',
  'minAreaPixels',
] as const

export type DiagnosisSettings = ReturnType<typeof takeDiagnosisSettings>

/** @throws JcsError INVALID_TYPE, INVALID_ARGUMENT */
export function takeDiagnosisSettings(options: DiagnoseOptions, hasClassifier: boolean) {
  checkOptions('options', options, [...commonNames, ...diagnosisNames])
  checkCommonOptions(options)
  const {
    sliceThreshold = defaultSliceThreshold,
    explain = classifyDefaults.explain,
    classificationThreshold = classifyDefaults.threshold,
    minLesionAreaMm2,
    segmentationThreshold = segmentDefaults.threshold,
    probabilities = segmentDefaults.probabilities,
    minAreaPixels = segmentDefaults.minAreaPixels,
    batchSize,
  } = withoutUndefined(options)
  checkSliceThreshold(sliceThreshold)
  requireBoolean('explain', explain)
  requireNumber('classificationThreshold', classificationThreshold, 0, 1)
  if (minLesionAreaMm2 !== undefined) requireNumber('minLesionAreaMm2', minLesionAreaMm2, 0, 1e6)
  if (explain && !hasClassifier)
    throw new JcsError('INVALID_ARGUMENT', 'explain needs a classifier: activation maps are its own')
  requireNumber('segmentationThreshold', segmentationThreshold, 0, 1)
  requireBoolean('probabilities', probabilities)
  requireWhole('minAreaPixels', minAreaPixels, 1)
  return {
    sliceThreshold,
    isDefaultThreshold: options.sliceThreshold === undefined,
    minLesionAreaMm2,
    classification: {
      batchSize: batchSize ?? classifyDefaults.batchSize,
      explain,
      threshold: classificationThreshold,
    },
    segmentation: {
      batchSize: batchSize ?? segmentDefaults.batchSize,
      threshold: segmentationThreshold,
      probabilities,
      minAreaPixels,
    },
    lungs: { ...segmentDefaults, batchSize: batchSize ?? segmentDefaults.batchSize },
  }
}

function checkSliceThreshold(threshold: number | { millimetres: number }): void {
  if (typeof threshold !== 'object') {
    requireWhole('sliceThreshold', threshold, 0)
    return
  }
  requireObject('sliceThreshold', threshold)
  requireKnown('sliceThreshold', threshold, ['millimetres'])
  requireNumber('sliceThreshold.millimetres', threshold.millimetres, 0, 1e4)
}
