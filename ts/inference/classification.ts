import { checkOptions, requireBoolean, requireNumber } from '../base/check'
import type { NativeModel, NativeTestTimeAugmentation } from '../native'
import {
  type CommonOptions,
  checkCommonOptions,
  commonNames,
  type ImageOptions,
  withoutUndefined,
} from '../run/options'
import type { Classification } from '../run/results'
import type { RunContext } from '../run/run'
import { inferSlices, type SliceStream } from './slices'
import { type TestTimeAugmentation, takeTestTimeAugmentation } from './test-time'

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

export interface ClassificationSettings {
  batchSize: number
  explain: boolean
  threshold: number
  testTimeAugmentation?: NativeTestTimeAugmentation | undefined
}

export const classifyDefaults = { batchSize: 16, explain: false, threshold: 0.5 } as const

/** @throws JcsError INVALID_TYPE, INVALID_ARGUMENT */
export function takeClassification(options: ClassifyOptions): ClassificationSettings {
  checkOptions('options', options, [...commonNames, 'explain', 'threshold', 'testTimeAugmentation'])
  checkCommonOptions(options)
  const { batchSize, explain, threshold } = { ...classifyDefaults, ...withoutUndefined(options) }
  requireBoolean('explain', explain)
  requireNumber('threshold', threshold, 0, 1)
  const testTimeAugmentation = takeTestTimeAugmentation(options.testTimeAugmentation)
  return { batchSize, explain, threshold, testTimeAugmentation }
}

/** What slices are classified by: a model, or a queue before one. */
export type Classifier = Pick<NativeModel, 'classify'>

export function classifySlices(
  native: Classifier,
  slices: SliceStream,
  { batchSize, explain, threshold, testTimeAugmentation }: ClassificationSettings,
  context: RunContext,
): Promise<Classification[]> {
  const request = { explain, threshold, testTimeAugmentation }
  return inferSlices(
    slices,
    {
      phase: 'classify',
      batchSize,
      infer: (store, indices, batch, start) =>
        start((cancellation) =>
          native.classify([{ store: store.native, slices: indices }], { ...request, ...batch }, cancellation),
        ),
      toEvent: (classification, place) => ({ phase: 'classify', kind: 'slice', classification, ...place }),
    },
    context,
  )
}
