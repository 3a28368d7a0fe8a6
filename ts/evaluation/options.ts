import { checkOptions, requireNumber, requireOneOf, requireWhole } from '../base/check'
import { JcsError } from '../base/errors'
import { classifyDefaults } from '../inference/classification'
import { type TestTimeAugmentation, takeTestTimeAugmentation } from '../inference/test-time'
import type { NativeScoring } from '../native'
import {
  type CommonOptions,
  checkCommonOptions,
  type DecodingOptions,
  datasetCommonNames,
} from '../run/options'
import { type BootstrapOptions, takeBootstrap } from './bootstrap'

export interface EvaluateOptions extends CommonOptions, DecodingOptions {
  /** Classification: a slice is positive when its probability is above this. Default 0.5. */
  threshold?: number | undefined
  /** Classification, where samples name patients: the slice thresholds to try. Default 15, 20, 25, 30 (table IV). */
  sliceThresholds?: readonly number[] | undefined
  /** Whether a sample that cannot be used stops (default) or is left out and reported. */
  onBadSample?: 'error' | 'skip' | undefined
  /** Flipped and scaled views of each sample, averaged. Default: each once, as it is. */
  testTimeAugmentation?: TestTimeAugmentation | undefined
  /** Of `intervals`. */
  bootstrap?: BootstrapOptions | undefined
  /** Default 16 for classification, 4 for segmentation. */
  batchSize?: number | undefined
}

export const evaluateDefaults = {
  batchSize: classifyDefaults.batchSize,
  threshold: classifyDefaults.threshold,
  sliceThresholds: [15, 20, 25, 30],
} as const

/** @throws JcsError INVALID_TYPE, INVALID_ARGUMENT */
export function takeScoring(options: EvaluateOptions): NativeScoring {
  checkOptions('options', options, [
    ...datasetCommonNames,
    'threshold',
    'sliceThresholds',
    'onBadSample',
    'testTimeAugmentation',
    'bootstrap',
  ])
  checkCommonOptions(options)
  const { threshold, sliceThresholds, onBadSample, testTimeAugmentation, bootstrap } = options
  if (threshold !== undefined) requireNumber('threshold', threshold, 0, 1)
  if (sliceThresholds !== undefined) {
    if (!Array.isArray(sliceThresholds))
      throw new JcsError('INVALID_TYPE', 'sliceThresholds must be an array of whole numbers')
    for (const value of sliceThresholds) requireWhole('every one of sliceThresholds', value, 0)
  }
  if (onBadSample !== undefined) requireOneOf('onBadSample', onBadSample, ['error', 'skip'])
  return {
    testTimeAugmentation: takeTestTimeAugmentation(testTimeAugmentation),
    ...takeBootstrap(bootstrap),
  }
}

/** Of a segmenter. @throws JcsError INVALID_ARGUMENT */
export function refuseThresholds({ threshold, sliceThresholds }: EvaluateOptions): void {
  if (threshold !== undefined || sliceThresholds !== undefined)
    throw new JcsError(
      'INVALID_ARGUMENT',
      'threshold and sliceThresholds are for classification; the scores of a segmenter have thresholds of their own',
    )
}
