import { type Case, withCase } from './cases'
import type { Images } from './images'
import { type ClassifyOptions, classifySlices, takeClassification } from './inference/classification'
import { streamSlices } from './inference/slices'
import { type Model, nativeFor } from './model'
import type { Classification } from './run/results'
import { Run } from './run/run'

export type { ClassifyOptions }

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
    const settings = takeClassification(options)
    const native = nativeFor('classification', model)
    return withCase(images, options, 'given', (scan, isOwn) => {
      const slices = { scan, indices: streamSlices(scan, context), isLastUse: isOwn }
      return classifySlices(native, slices, settings, context)
    })
  }, options)
}
