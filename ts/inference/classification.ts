import type { NativeModel, NativeTestTimeAugmentation } from '../native'
import type { Classification } from '../run/results'
import type { RunContext } from '../run/run'
import { inferSlices, type SliceStream } from './slices'

export interface ClassificationSettings {
  batchSize: number
  explain: boolean
  threshold: number
  testTimeAugmentation?: NativeTestTimeAugmentation | undefined
}

export const classifyDefaults = { batchSize: 16, explain: false, threshold: 0.5 } as const

export function classifySlices(
  native: NativeModel,
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
          native.classify(store.native, indices, { ...request, ...batch }, cancellation),
        ),
      toEvent: (classification, place) => ({ phase: 'classify', kind: 'slice', classification, ...place }),
    },
    context,
  )
}
