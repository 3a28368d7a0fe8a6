import type { Case } from '../cases'
import { type SliceStream, streamSlices } from '../inference/slices'
import { callNativeNow } from '../native'
import type { RunContext } from '../run/run'
import { defaultSliceThreshold } from './options'
import type { Stopwatch } from './stopwatch'

export interface SliceChecks {
  /** Whether a case too small for the default slice threshold is refused. */
  isDecidable: boolean
  /** Whether one that lacks slices is. */
  isComplete: boolean
}

/**
 * Gives the slices of a case to one network after another: to the first as they are decoded, to the others from the
 * store.
 */
export function sliceStreams(
  scan: Case,
  checks: SliceChecks,
  clock: Stopwatch,
  context: RunContext,
): () => SliceStream {
  let isDecoded = false
  return () => {
    const indices = isDecoded ? scan.indices(context.signal) : decoded(scan, checks, clock, context)
    isDecoded = true
    return { scan, indices, isLastUse: false }
  }
}

async function* decoded(
  scan: Case,
  { isDecidable, isComplete }: SliceChecks,
  clock: Stopwatch,
  context: RunContext,
): AsyncGenerator<number> {
  for await (const index of isDecidable ? decidable(scan, context) : streamSlices(scan, context)) {
    if (index === 0) {
      clock.firstSlice()
      if (isComplete) scan.requireComplete()
    }
    yield index
  }
  // Slices that could not be read are known only now.
  if (isComplete) scan.requireComplete()
  clock.lastSlice()
}

/** Holds the first slices back until there are enough, so that a case too small costs no computation. */
async function* decidable(scan: Case, context: RunContext): AsyncGenerator<number> {
  let held = 0
  for await (const index of streamSlices(scan, context)) {
    held = index + 1
    if (held <= defaultSliceThreshold) continue
    if (held === defaultSliceThreshold + 1) yield* Array(defaultSliceThreshold).keys()
    yield index
  }
  if (held > 0) callNativeNow((native) => native.requireDecidable(held, defaultSliceThreshold))
}
