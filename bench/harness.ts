import { setTimeout as sleep } from 'node:timers/promises'

/** One engine at one precision, ready to do the work again and again. */
export interface Subject {
  /** As tables show it: `jcs-ct bf16`. */
  name: string
  run(): Promise<unknown>
}

export interface Timing {
  medianMs: number
  /** Of the middle half of the runs. */
  quartilesMs: [number, number]
  fastestMs: number
  samplesMs: number[]
}

export interface AlternateOptions {
  warmups: number
  repetitions: number
}

/** Between two runs: threads of the one engine that still spin, waiting for work, end before the next one starts. */
const settleMs = 50

/**
 * Times subjects in turn, one run each per round, so that whatever slows the machine for a while slows all of them. Every
 * second round goes backwards: nobody always runs behind the same neighbour.
 */
export async function alternate(
  subjects: readonly Subject[],
  { warmups, repetitions }: AlternateOptions,
): Promise<Map<string, Timing>> {
  const samples = new Map<string, number[]>(subjects.map(({ name }) => [name, []]))
  for (let round = -warmups; round < repetitions; round++) {
    const order = round % 2 === 0 ? subjects : subjects.toReversed()
    for (const { name, run } of order) {
      await sleep(settleMs)
      const start = performance.now()
      await run()
      if (round >= 0) samples.get(name)?.push(performance.now() - start)
    }
  }
  return new Map([...samples].map(([name, times]) => [name, summarize(times)]))
}

/** Of at least one time. */
export function summarize(samplesMs: readonly number[]): Timing {
  if (samplesMs.length === 0) throw new RangeError('no times to summarize')
  const sorted = samplesMs.toSorted((a, b) => a - b)
  return {
    medianMs: quantile(sorted, 0.5),
    quartilesMs: [quantile(sorted, 0.25), quantile(sorted, 0.75)],
    fastestMs: sorted[0]!,
    samplesMs: samplesMs.map((ms) => Number(ms.toFixed(3))),
  }
}

/** Interpolates linearly between the two values around position `q`. */
function quantile(sorted: readonly number[], q: number): number {
  const position = q * (sorted.length - 1)
  const below = Math.floor(position)
  const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!]
  return Number((low + (high - low) * (position - below)).toFixed(3))
}
