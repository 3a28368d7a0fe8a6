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
      infer: async (store, batch, start) => {
        const found = await start((cancellation) =>
          native.segment(store.native, batch, request, cancellation),
        )
        return found.map(toSegmentation)
      },
      toEvent: (segmentation, place) => ({ phase: 'segment', kind: 'slice', segmentation, ...place }),
    },
    context,
  )
}

/** The mask stays native, one bit a pixel, until it is first read. A property of its own, so that copies have it too. */
function toSegmentation({ mask: native, ...rest }: NativeSegmentation): Segmentation {
  let mask: Uint8Array | undefined
  return Object.defineProperty(rest, 'mask', {
    enumerable: true,
    configurable: true,
    get: () => {
      mask ??= native.bytes()
      return mask
    },
    set: (value: Uint8Array) => {
      mask = value
    },
  }) as Segmentation
}
