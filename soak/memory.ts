import type { Outcome } from './subject'

export const residentMiB = (): number => process.memoryUsage.rss() / 2 ** 20

/**
 * Whether resident memory stays: after a fifth of all, when everything has been loaded, and at the end; medians of a tenth
 * of the samples.
 */
export function judgeMemory(sizesMiB: readonly number[], allowedGrowth: number): Omit<Outcome, 'done'> {
  const tenth = Math.max(1, Math.floor(sizesMiB.length / 10))
  const medianOf = (from: number) => {
    const some = sizesMiB.slice(from, from + tenth).sort((a, b) => a - b)
    return Math.round(some[some.length >> 1]!)
  }
  const afterAFifth = medianOf(Math.floor(sizesMiB.length / 5))
  const atTheEnd = medianOf(sizesMiB.length - tenth)
  const growth = atTheEnd / afterAFifth
  return {
    failures: growth <= allowedGrowth ? [] : [`Memory grew by a factor of ${growth.toFixed(3)}.`],
    figures: { 'MiB after a fifth': afterAFifth, 'MiB at the end': atTheEnd },
  }
}
