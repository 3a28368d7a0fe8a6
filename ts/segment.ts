import { type Case, withCase } from './cases'
import type { Images } from './images'
import { type SegmentOptions, segmentSlices, takeSegmentation } from './inference/segmentation'
import { streamSlices } from './inference/slices'
import { type Model, nativeFor } from './model'
import type { Segmentation } from './run/results'
import { Run } from './run/run'

export type { SegmentOptions }

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
    const settings = takeSegmentation(options)
    const native = nativeFor('segmentation', model)
    return withCase(images, options, 'given', (scan, isOwn) => {
      const slices = { scan, indices: streamSlices(scan, context), isLastUse: isOwn }
      return segmentSlices(native, slices, settings, context)
    })
  }, options)
}
