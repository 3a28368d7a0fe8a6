import { deviation, mean, quantile } from '../base/statistics'
import type { Metrics } from '../evaluate'
import type { ScoredRun } from './directory'

/** A metric over the trainings of a cross-validation. What is not defined on a fold does not count there. */
export interface Spread {
  /** Over folds, then over seeds. */
  mean: number
  /**
   * 95 % of what that mean is over patients of all folds drawn with replacement (percentile bootstrap), the networks
   * being what they are. Not where a fold was scored without draws.
   */
  interval?: [low: number, high: number]
  /** Between seeds, each of which has the mean over its folds; n − 1. Only where there are several. */
  betweenSeeds?: number
  /** Between folds, each of which has the mean over its seeds; n − 1. NaN where the metric is defined on one only. */
  betweenFolds: number
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

export function spreadsOf(scored: readonly ScoredRun[]): Record<string, Spread> {
  const names = [...new Set(scored.flatMap(({ run }) => Object.keys(run.metrics)))]
  return Object.fromEntries(names.map((name) => [name, spreadOf(scored, name)]))
}

function spreadOf(scored: readonly ScoredRun[], name: string): Spread {
  const values = scored.map(({ run: { fold, seed, metrics } }) => ({ fold, seed, value: metrics[name] }))
  const seeds = meansBy('seed', values)
  const interval = intervalOf(drawsOfMean(scored, name))
  return {
    mean: mean(seeds),
    ...(interval && { interval }),
    ...(seeds.length > 1 && { betweenSeeds: deviation(seeds) }),
    betweenFolds: deviation(meansBy('fold', values)),
  }
}

interface Value {
  fold: string
  seed: number
  value: number | undefined
}

function meansBy(key: 'fold' | 'seed', values: readonly Value[]): number[] {
  return [...new Set(values.map((one) => one[key]))]
    .map((which) => mean(values.filter((one) => one[key] === which).map(({ value }) => value)))
    .filter((value) => !Number.isNaN(value))
}

/** What the mean of each metric is in every resample, of the metrics that every training was scored with draws of. */
export function drawsOf(scored: readonly ScoredRun[]): Record<string, number[]> {
  const names = Object.keys(scored[0]?.draws ?? {})
  const draws = names.map((name) => [name, drawsOfMean(scored, name)] as const)
  return Object.fromEntries(draws.filter(([, values]) => values.length > 0))
}

function drawsOfMean(scored: readonly ScoredRun[], name: string): number[] {
  const draws = scored.map(({ run: { fold, seed }, draws }) => ({ fold, seed, values: draws[name] }))
  const resamples = draws[0]?.values?.length ?? 0
  if (draws.some(({ values }) => values?.length !== resamples)) return []
  return Array.from({ length: resamples }, (_, r) =>
    mean(
      meansBy(
        'seed',
        draws.map(({ fold, seed, values }) => ({ fold, seed, value: values![r] })),
      ),
    ),
  )
}

/** 95 % of `draws`, without those that are NaN; undefined where none are left. */
export function intervalOf(draws: readonly number[]): [number, number] | undefined {
  const defined = draws.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  return defined.length === 0 ? undefined : [quantile(defined, 0.025), quantile(defined, 0.975)]
}
