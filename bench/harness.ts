import { setTimeout as sleep } from 'node:timers/promises'

/** One engine at one precision, ready to be measured again and again. */
export interface Subject {
  name: string
  /** One sample, in the measurement's unit. */
  sample(): Promise<number>
}

/** What the samples of a subject come to. Of all that is measured here, less is better. */
export interface Spread {
  median: number
  /** Of the middle half of the samples. */
  quartiles: [number, number]
  least: number
  samples: number[]
}

export interface AlternateOptions {
  warmups: number
  repetitions: number
}

/** Between two runs: threads of the one engine that still spin, waiting for work, end before the next one starts. */
const settleMs = 50

/**
 * Measures subjects in turn, one sample each per round, so that whatever slows the machine for a while slows all of
 * them. Every second round goes backwards: nobody always runs behind the same neighbour.
 */
export async function alternate(
  subjects: readonly Subject[],
  { warmups, repetitions }: AlternateOptions,
): Promise<Map<string, Spread>> {
  const samples = new Map<string, number[]>(subjects.map(({ name }) => [name, []]))
  for (let round = -warmups; round < repetitions; round++) {
    const order = round % 2 === 0 ? subjects : subjects.toReversed()
    for (const { name, sample } of order) {
      await sleep(settleMs)
      const value = await sample()
      if (round >= 0) samples.get(name)?.push(value)
    }
  }
  return new Map([...samples].map(([name, values]) => [name, summarize(values)]))
}

/** Work that takes less is repeated within a sample. */
const briefMs = 100
const sampleMs = 300

/**
 * The milliseconds that work takes, as a sample. Brief work is what services call back to back: the run that finds its
 * threads asleep and its weights evicted by the engine before it is left out, and the mean is taken of the runs of
 * `sampleMs` after it.
 */
export const timed = (work: () => Promise<unknown>) => async (): Promise<number> => {
  const first = await elapsedMs(work)
  if (first >= briefMs) return first
  let runs = 0
  let totalMs = 0
  for (; totalMs < sampleMs; runs++) totalMs += await elapsedMs(work)
  return totalMs / runs
}

export async function elapsedMs(work: () => PromiseLike<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** Of at least one sample. */
export function summarize(samples: readonly number[]): Spread {
  if (samples.length === 0) throw new RangeError('nothing to summarize')
  const sorted = samples.toSorted((a, b) => a - b)
  return {
    median: quantile(sorted, 0.5),
    quartiles: [quantile(sorted, 0.25), quantile(sorted, 0.75)],
    least: rounded(sorted[0]!),
    samples: samples.map(rounded),
  }
}

/** Interpolates linearly between the two values around position `q`. */
function quantile(sorted: readonly number[], q: number): number {
  const position = q * (sorted.length - 1)
  const below = Math.floor(position)
  const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!]
  return rounded(low + (high - low) * (position - below))
}

export const rounded = (value: number): number => Number(value.toFixed(3))
