import type { Case, SliceStore } from '../cases'
import { type NativeBatch, type StartNative, withNativeCalls } from '../native'
import { mapBatches, Rate } from '../run/batches'
import type { ClassifyProgress, LungsProgress, ProgressEvent, SegmentProgress } from '../run/progress'
import type { RunContext } from '../run/run'

/** Slices of a case on their way to a network. */
export interface SliceStream {
  scan: Case
  /** Of the slices in the case's store, in order. */
  indices: AsyncIterable<number>
  /** Whether nobody needs a slice once its result is there: its memory is then freed. */
  isLastUse: boolean
}

/** All slices of a case; each that is decoded for it is reported. */
export function streamSlices(scan: Case, { signal, emit }: RunContext): AsyncGenerator<number> {
  return scan.indices(signal, (done) => emit({ phase: 'decode', ...counted(done, scan.total) }))
}

interface Inference<Result> {
  phase: 'classify' | 'segment' | 'lungs'
  batchSize: number
  /** Runs the network on a batch. */
  infer: (store: SliceStore, indices: number[], batch: NativeBatch, start: StartNative) => Promise<Result[]>
  /** The event that carries a result, where results are reported one by one. */
  toEvent?: (result: Result, place: { index: number; done: number; total?: number }) => ProgressEvent
}

/** Runs a network on full batches; gives the results in the order of the slices, and reports each as it comes. */
export function inferSlices<Result>(
  { scan, indices, isLastUse }: SliceStream,
  { phase, batchSize, infer, toEvent }: Inference<Result>,
  { signal, emit }: RunContext,
): Promise<Result[]> {
  return withNativeCalls(signal, async (start) => {
    const results: Result[] = []
    const rate = new Rate()
    let isFirst = true
    const work = (batch: number[]) => {
      const isRemainder = !isFirst && batch.length < batchSize
      isFirst = false
      return infer(scan.store, batch, { batchSize, isRemainder }, start)
    }
    for await (const inferred of mapBatches(indices, batchSize, work, signal)) {
      if (isLastUse) scan.store.release(results.length, results.length + inferred.length)
      for (const result of inferred) {
        const index = results.push(result) - 1
        if (toEvent) await emit(toEvent(result, { index, ...counted(index + 1, scan.total) }))
      }
      const done = results.length
      const progress = { phase, ...counted(done, scan.total), ...rate.of(done, scan.total) }
      emit(progress as ClassifyProgress | SegmentProgress | LungsProgress)
    }
    return results
  })
}

function counted(done: number, total: number | undefined): { done: number; total?: number } {
  return total === undefined ? { done } : { done, total }
}
