import { checkOptions, requireBoolean, requireNumber } from './base/check'
import { type Case, withCase } from './cases'
import type { Images } from './images'
import { classifyDefaults, classifySlices } from './inference/classification'
import { streamSlices } from './inference/slices'
import { type TestTimeAugmentation, takeTestTimeAugmentation } from './inference/test-time'
import { type Model, nativeFor } from './model'
import {
  type CommonOptions,
  checkCommonOptions,
  commonNames,
  type ImageOptions,
  withoutUndefined,
} from './run/options'
import type { Classification } from './run/results'
import { Run } from './run/run'

export interface ClassifyOptions extends CommonOptions, ImageOptions {
  /** Activation maps as well, equations (1) and (2) of the paper. Default false. */
  explain?: boolean | undefined
  /** A slice is positive when its probability is above this. Default 0.5. */
  threshold?: number | undefined
  /** Flipped and scaled views of each slice, averaged. Default: each slice once, as it is. */
  testTimeAugmentation?: TestTimeAugmentation | undefined
  /** Default 16. */
  batchSize?: number | undefined
}

/**
 * Classifies slices as infected or not; results are in the order of the slices and come with events of kind 'slice' as
 * soon as they are there. Bytes and pixels given directly or in an array are copied when the function is called.
 *
 * @throws JcsError INVALID_ARGUMENT for a model that is no classifier, and whatever reading an image gives
 */
export function classify(
  model: Model,
  images: Images | Case,
  options: ClassifyOptions = {},
): Run<Classification[]> {
  return new Run(async (context) => {
    checkOptions('options', options, [...commonNames, 'explain', 'threshold', 'testTimeAugmentation'])
    checkCommonOptions(options)
    const settings = { ...classifyDefaults, ...withoutUndefined(options) }
    requireBoolean('explain', settings.explain)
    requireNumber('threshold', settings.threshold, 0, 1)
    const testTimeAugmentation = takeTestTimeAugmentation(options.testTimeAugmentation)
    const native = nativeFor('classification', model)
    return withCase(images, options, 'given', (scan, isOwn) => {
      const slices = { scan, indices: streamSlices(scan, context), isLastUse: isOwn }
      return classifySlices(native, slices, { ...settings, testTimeAugmentation }, context)
    })
  }, options)
}
