import { JcsError } from '../base/errors'
import type { NativeMask, NativeModel, NativeSegmentation, NativeTestTimeAugmentation } from '../native'
import type { Segmentation } from '../run/results'
import type { RunContext } from '../run/run'
import { inferSlices, type SliceStream } from './slices'

export interface SegmentationSettings {
  batchSize: number
  threshold: number
  probabilities: boolean
  minAreaPixels: number
  testTimeAugmentation?: NativeTestTimeAugmentation | undefined
}

export const segmentDefaults = {
  batchSize: 4,
  threshold: 0.5,
  probabilities: false,
  minAreaPixels: 1,
} as const

/** `lungs`: what is segmented is not lesions but lungs, which are not reported slice by slice. */
export function segmentSlices(
  native: NativeModel,
  slices: SliceStream,
  { batchSize, threshold, probabilities, minAreaPixels, testTimeAugmentation }: SegmentationSettings,
  context: RunContext,
  phase: 'segment' | 'lungs' = 'segment',
): Promise<Segmentation[]> {
  const request = { threshold, probabilities, minAreaPixels, testTimeAugmentation }
  return inferSlices(
    slices,
    {
      phase,
      batchSize,
      infer: async (store, indices, batch, start) => {
        const found = await start((cancellation) =>
          native.segment(store.native, indices, { ...request, ...batch }, cancellation),
        )
        return found.map(toSegmentation)
      },
      ...(phase === 'segment' && {
        toEvent: (segmentation, place) => ({ phase: 'segment', kind: 'slice', segmentation, ...place }),
      }),
    },
    context,
  )
}

const nativeMasks = new WeakMap<Segmentation, NativeMask>()

function toSegmentation({ mask, ...rest }: NativeSegmentation): Segmentation {
  const segmentation = withMask(rest, 'mask', mask)
  nativeMasks.set(segmentation, mask)
  return segmentation
}

/** Of what this module made. */
export function nativeMaskOf(segmentation: Segmentation): NativeMask {
  const mask = nativeMasks.get(segmentation)
  if (!mask) throw new JcsError('INTERNAL', 'a segmentation has no native mask')
  return mask
}

/** The mask stays native, one bit a pixel, until it is first read. A property of its own, so that copies have it too. */
export function withMask<T extends object, Name extends string>(
  target: T,
  name: Name,
  native: NativeMask,
): T & Record<Name, Uint8Array> {
  let mask: Uint8Array | undefined
  return Object.defineProperty(target, name, {
    enumerable: true,
    configurable: true,
    get: () => {
      mask ??= native.bytes()
      return mask
    },
    set: (value: Uint8Array) => {
      mask = value
    },
  }) as T & Record<Name, Uint8Array>
}
