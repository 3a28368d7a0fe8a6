import { checkOptions, requireBoolean, requireNumber, requireWhole } from '../base/check'
import { JcsError } from '../base/errors'
import type { NativeMask, NativeModel, NativeSegmentation, NativeTestTimeAugmentation } from '../native'
import {
  type CommonOptions,
  checkCommonOptions,
  commonNames,
  type ImageOptions,
  withoutUndefined,
} from '../run/options'
import type { Segmentation } from '../run/results'
import type { RunContext } from '../run/run'
import { inferSlices, type SliceStream } from './slices'
import { type TestTimeAugmentation, takeTestTimeAugmentation } from './test-time'

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

const segmentNames = ['threshold', 'probabilities', 'minAreaPixels', 'testTimeAugmentation'] as const

/** @throws JcsError INVALID_TYPE, INVALID_ARGUMENT */
export function takeSegmentation(options: SegmentOptions): SegmentationSettings {
  checkOptions('options', options, [...commonNames, ...segmentNames])
  checkCommonOptions(options)
  const { batchSize, threshold, probabilities, minAreaPixels } = {
    ...segmentDefaults,
    ...withoutUndefined(options),
  }
  requireNumber('threshold', threshold, 0, 1)
  requireBoolean('probabilities', probabilities)
  requireWhole('minAreaPixels', minAreaPixels, 1)
  const testTimeAugmentation = takeTestTimeAugmentation(options.testTimeAugmentation)
  return { batchSize, threshold, probabilities, minAreaPixels, testTimeAugmentation }
}

/** What slices are segmented by: a model, or a queue before one. */
export type Segmenter = Pick<NativeModel, 'segment'>

/** `lungs`: what is segmented is not lesions but lungs, which are not reported slice by slice. */
export function segmentSlices(
  native: Segmenter,
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
          native.segment([{ store: store.native, slices: indices }], { ...request, ...batch }, cancellation),
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
