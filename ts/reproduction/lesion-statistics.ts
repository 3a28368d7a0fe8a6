import { quantile } from '../base/statistics'
import type { CrossValidation } from '../cross-validate'
import type { SliceScores } from '../evaluate'
import { publishedShares } from './published'

/** Figure 11: whether small lesions, or many, are outlined worse. Over the held-out slices that have lesions. */
export interface LesionStatistics {
  experiment: 'figure-11'
  title: string
  slices: number
  /** Of the slices: Dice in [0.6, 1], in [0.1, 0.6) and below. */
  shares: { good: number; bad: number; failed: number }
  /** The paper's, on other data. */
  published: { good: number; bad: number; failed: number }
  /** (a): how large the lesions of a slice are together, and its Dice. */
  points: { areaPixels: number; areaMm2?: number; lesions: number; dice: number }[]
  /** (b): by how many lesions a slice has, the last four or more. */
  byLesions: { lesions: string; slices: number; median: number; low: number; high: number }[]
}

export function lesionStatisticsOf({ runs }: CrossValidation): LesionStatistics {
  const [first] = runs
  // One seed: with more, slices would count several times.
  const slices = runs
    .filter(({ seed }) => seed === first?.seed)
    .flatMap(({ slices = [] }) => slices)
    .filter(({ lesions }) => lesions > 0)
  const share = (is: (dice: number) => boolean) =>
    slices.filter(({ dice }) => is(dice)).length / slices.length
  return {
    experiment: 'figure-11',
    title: 'Figure 11: Dice by area and number of lesions',
    slices: slices.length,
    shares: {
      good: share((dice) => dice >= 0.6),
      bad: share((dice) => dice >= 0.1 && dice < 0.6),
      failed: share((dice) => dice < 0.1),
    },
    published: publishedShares,
    points: slices.map(({ areaPixels, areaMm2, lesions, dice }) => ({
      areaPixels,
      ...(areaMm2 !== undefined && { areaMm2 }),
      lesions,
      dice,
    })),
    byLesions: [1, 2, 3, 4].flatMap((count) => {
      const some = slices.filter(({ lesions }) => (count === 4 ? lesions >= 4 : lesions === count))
      return some.length === 0 ? [] : [distributionOf(count === 4 ? '4 or more' : String(count), some)]
    }),
  }
}

/** Median, and what 95 % of the slices lie within. */
function distributionOf(lesions: string, slices: readonly SliceScores[]) {
  const sorted = slices.map(({ dice }) => dice).sort((a, b) => a - b)
  return {
    lesions,
    slices: sorted.length,
    median: quantile(sorted, 0.5),
    low: quantile(sorted, 0.025),
    high: quantile(sorted, 0.975),
  }
}
