import { checkOptions, requireBoolean, requireNumber, requireWhole } from './base/check'
import type { Images } from './images'
import { decodeSlices, inferSlices, reportDecoding, type Slices } from './inference/slices'
import { type Model, nativeFor } from './model'
import type { NativeModel } from './native'
import {
  type CommonOptions,
  checkCommonOptions,
  commonNames,
  type ImageOptions,
  withoutUndefined,
} from './run/options'
import type { Segmentation } from './run/results'
import { Run, type RunContext } from './run/run'

export interface SegmentOptions extends CommonOptions, ImageOptions {
  /** A pixel is lesion when its probability, at the source's size, is above this. Default 0.5. */
  threshold?: number | undefined
  /** The probability of every pixel as well, 4 bytes each. Default false. */
  probabilities?: boolean | undefined
  /** Lesions of fewer pixels are left out of `lesions`; the mask keeps them. Default 1: none is. */
  minAreaPixels?: number | undefined
  /** Default 4. */
  batchSize?: number | undefined
}

export const segmentDefaults = {
  batchSize: 4,
  threshold: 0.5,
  probabilities: false,
  minAreaPixels: 1,
} as const

/**
 * Segments the lesions of slices, in the coordinates of their sources; results are in the order of the slices and come
 * with events of kind 'slice' as soon as they are there. Bytes and pixels given directly or in an array are copied when
 * the function is called.
 *
 * @throws JcsError INVALID_ARGUMENT for a model that is no segmentation network, and whatever reading an image gives
 */
export function segment(model: Model, images: Images, options: SegmentOptions = {}): Run<Segmentation[]> {
  return new Run(async (context) => {
    checkOptions('options', options, [...commonNames, 'threshold', 'probabilities', 'minAreaPixels'])
    checkCommonOptions(options)
    const settings = { ...segmentDefaults, ...withoutUndefined(options) }
    requireNumber('threshold', settings.threshold, 0, 1)
    requireBoolean('probabilities', settings.probabilities)
    requireWhole('minAreaPixels', settings.minAreaPixels, 1)
    const native = nativeFor('segmentation', model)
    const slices = reportDecoding(decodeSlices(images, options, context.signal), context)
    return segmentSlices(native, slices, settings, context)
  }, options)
}

export interface SegmentSettings {
  batchSize: number
  threshold: number
  probabilities: boolean
  minAreaPixels: number
}

/** Segments what `slices` gives; shared with `diagnose`, which has decoded them before. */
export function segmentSlices(
  native: NativeModel,
  slices: Slices,
  { batchSize, threshold, probabilities, minAreaPixels }: SegmentSettings,
  context: RunContext,
): Promise<Segmentation[]> {
  const request = { threshold, probabilities, minAreaPixels, batchSize }
  return inferSlices(
    slices,
    {
      phase: 'segment',
      batchSize,
      infer: (batch, start) => start((cancellation) => native.segment(batch, request, cancellation)),
      toResult: (segmentation): Segmentation => segmentation,
      toEvent: (segmentation, place) => ({ phase: 'segment', kind: 'slice', segmentation, ...place }),
    },
    context,
  )
}
