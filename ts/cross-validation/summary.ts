import type { Metrics } from '../evaluate'

/** A metric over the trainings of a cross-validation. What is not defined on a fold does not count there. */
export interface Spread {
  /** Over folds, then over seeds. */
  mean: number
  /** Between seeds, each of which has the mean over its folds; n − 1. Only where there are several. */
  betweenSeeds?: number
  /** Between folds, each of which has the mean over its seeds; n − 1. NaN where the metric is defined on one only. */
  betweenFolds: number
}

interface Scored {
  fold: string
  seed: number
  metrics: Readonly<Record<string, number>>
}

/** Numbers of samples, which are no scores. */
const counts = new Set(['samples', 'images', 'emptyTruth'])

export function scoresOf(evaluation: Metrics): Record<string, number> {
  return Object.fromEntries(
    Object.entries(evaluation).filter(
      (entry): entry is [string, number] => typeof entry[1] === 'number' && !counts.has(entry[0]),
    ),
  )
}

export function spreadsOf(runs: readonly Scored[]): Record<string, Spread> {
  const names = [...new Set(runs.flatMap(({ metrics }) => Object.keys(metrics)))]
  return Object.fromEntries(names.map((name) => [name, spreadOf(runs, name)]))
}

function spreadOf(runs: readonly Scored[], name: string): Spread {
  const meansBy = (key: 'fold' | 'seed') =>
    [...new Set(runs.map((run) => run[key]))]
      .map((one) => mean(runs.filter((run) => run[key] === one).map(({ metrics }) => metrics[name])))
      .filter((value) => !Number.isNaN(value))
  const seeds = meansBy('seed')
  return {
    mean: mean(seeds),
    ...(seeds.length > 1 && { betweenSeeds: deviation(seeds) }),
    betweenFolds: deviation(meansBy('fold')),
  }
}

function mean(values: readonly (number | undefined)[]): number {
  const defined = values.filter((value): value is number => value !== undefined && !Number.isNaN(value))
  return defined.reduce((sum, value) => sum + value, 0) / defined.length
}

function deviation(values: readonly number[]): number {
  const centre = mean(values)
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1))
}
