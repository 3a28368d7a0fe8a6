import type { NativeModel, NativeSegmentation } from '../native'
import type { Segmentation } from '../run/results'
import type { RunContext } from '../run/run'
import { inferSlices, type SliceStream } from './slices'

export interface SegmentationSettings {
  batchSize: number
  threshold: number
  probabilities: boolean
  minAreaPixels: number
}

export const segmentDefaults = {
  batchSize: 4,
  threshold: 0.5,
  probabilities: false,
  minAreaPixels: 1,
} as const

export function segmentSlices(
  native: NativeModel,
  slices: SliceStream,
  { batchSize, threshold, probabilities, minAreaPixels }: SegmentationSettings,
  context: RunContext,
): Promise<Segmentation[]> {
  const request = { threshold, probabilities, minAreaPixels, batchSize }
  return inferSlices(
    slices,
    {
      phase: 'segment',
      batchSize,
      infer: (store, batch, start) =>
        start((cancellation) => native.segment(store.native, batch, request, cancellation)),
      toResult: toSegmentation,
      toEvent: (segmentation, place) => ({ phase: 'segment', kind: 'slice', segmentation, ...place }),
    },
    context,
  )
}

/** The mask stays native, one bit a pixel, until it is first read. */
function toSegmentation({ mask: native, ...rest }: NativeSegmentation): Segmentation {
  const define = (segmentation: object, descriptor: PropertyDescriptor) =>
    Object.defineProperty(segmentation, 'mask', { enumerable: true, configurable: true, ...descriptor })
  return define(rest, {
    get(this: object) {
      const value = native.bytes()
      define(this, { value, writable: true })
      return value
    },
  }) as Segmentation
}
