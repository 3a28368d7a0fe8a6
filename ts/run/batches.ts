import { runAhead } from '../base/ahead'

/** Batches that are prepared or computed at the same time: while one computes, the next is decoded and packed. */
const batchesUnderway = 2

/** Groups items into batches that are full, the last one excepted. */
async function* inBatches<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** Runs `work` on full batches of `items`, preparing one while another computes; gives the results in order. */
export function mapBatches<T, R>(
  items: AsyncIterable<T>,
  size: number,
  work: (batch: T[]) => Promise<R[]>,
  signal: AbortSignal,
): AsyncGenerator<R[], void, undefined> {
  const tasks = async function* () {
    for await (const batch of inBatches(items, size)) yield () => work(batch)
  }
  return runAhead(tasks(), batchesUnderway, signal)
}

/** How fast something goes, and how long the rest will take. */
export class Rate {
  readonly #start = performance.now()

  of(done: number, total: number | undefined): { samplesPerSecond: number; etaMs?: number } {
    const elapsedMs = Math.max(performance.now() - this.#start, 1e-3)
    const etaMs = total === undefined || done === 0 ? undefined : (elapsedMs / done) * (total - done)
    return { samplesPerSecond: (done / elapsedMs) * 1000, ...(etaMs !== undefined && { etaMs }) }
  }
}
