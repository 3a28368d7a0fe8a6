import type { SliceStore } from '../cases'
import { type Model, nativeOf } from '../model'
import { type Addon, type OverDataset, withNativeCalls } from '../native'
import type { RunContext } from '../run/run'

/** Awaits a native function that goes over a dataset, whose progress becomes the run's. */
export function overDataset<Options extends unknown[], Result>(
  functionOf: (native: Addon) => OverDataset<Options, Result>,
  model: Model,
  store: SliceStore,
  batchSize: number,
  { signal, emit }: RunContext,
  ...options: Options
): Promise<Result> {
  return withNativeCalls(signal, (start) =>
    start((cancellation, native) =>
      functionOf(native)(
        nativeOf(model),
        store.native,
        batchSize,
        cancellation,
        (event) => emit(JSON.parse(event)),
        ...options,
      ),
    ),
  )
}
