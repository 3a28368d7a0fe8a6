import { checkOptions, requireBoolean, requireNumber, requireWhole } from './base/check'
import { type Case, withCase } from './cases'
import type { Images } from './images'
import { segmentDefaults, segmentSlices } from './inference/segmentation'
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
import type { Segmentation } from './run/results'
import { Run } from './run/run'

export interface SegmentOptions extends CommonOptions, ImageOptions {
  /** A pixel is lesion when its probability, at the source's size, is above this. Default 0.5. */
  threshold?: number | undefined
  /** The probability of every pixel as well, 4 bytes each. Default false. */
  probabilities?: boolean | undefined
  /** Lesions of fewer pixels are left out of `lesions`; the mask keeps them. Default 1: none is. */
  minAreaPixels?: number | undefined
  /** Flipped and scaled views of each slice, averaged. Default: each slice once, as it is. */
  testTimeAugmentation?: TestTimeAugmentation | undefined
  /** Default 4. */
  batchSize?: number | undefined
}

/**
 * Segments the lesions of slices, in the coordinates of their sources; results are in the order of the slices and come
 * with events of kind 'slice' as soon as they are there. Bytes and pixels given directly or in an array are copied when
 * the function is called.
 *
 * @throws JcsError INVALID_ARGUMENT for a model that is no segmentation network, and whatever reading an image gives
 */
export function segment(
  model: Model,
  images: Images | Case,
  options: SegmentOptions = {},
): Run<Segmentation[]> {
  return new Run(async (context) => {
    checkOptions('options', options, [
      ...commonNames,
      'threshold',
      'probabilities',
      'minAreaPixels',
      'testTimeAugmentation',
    ])
    checkCommonOptions(options)
    const settings = { ...segmentDefaults, ...withoutUndefined(options) }
    requireNumber('threshold', settings.threshold, 0, 1)
    requireBoolean('probabilities', settings.probabilities)
    requireWhole('minAreaPixels', settings.minAreaPixels, 1)
    const testTimeAugmentation = takeTestTimeAugmentation(options.testTimeAugmentation)
    const native = nativeFor('segmentation', model)
    return withCase(images, options, 'given', (scan, isOwn) => {
      const slices = { scan, indices: streamSlices(scan, context), isLastUse: isOwn }
      return segmentSlices(native, slices, { ...settings, testTimeAugmentation }, context)
    })
  }, options)
}
