import { deviation, mean } from '../base/statistics'
import type { CrossValidation } from '../cross-validate'
import { intervalOf, type Spread } from '../cross-validation/summary'
import { type ComparisonName, comparisons, type NetworkKey, networks } from './experiments'
import { type PublishedScores, publishedScores } from './published'

/** What tables show: the paper's three, and those by which COVID-19-CT100 is reported elsewhere (MiniSeg). */
export const shownMetrics = ['dice', 'iou', 'eMeasure', 'dicePooled', 'mIoU'] as const

export type ShownMetric = (typeof shownMetrics)[number]

/** How much more than the network that it is compared with, on the same folds, seeds and resamples. */
export interface Difference {
  mean: number
  /** 95 % over the patients of all folds. */
  interval?: [low: number, high: number]
  /** Between seeds; only where there are several. */
  betweenSeeds?: number
}

export interface ComparedRow {
  network: NetworkKey
  /** As the paper has it. */
  name: string
  /** Shares of 1. */
  measured: Record<ShownMetric, Spread>
  /** Percent, of other data. */
  published: PublishedScores
  /** From the table's reference, whose own row has none. */
  difference?: Record<ShownMetric, Difference>
}

export interface ComparisonTable {
  experiment: ComparisonName
  title: string
  reference: NetworkKey
  rows: ComparedRow[]
}

export function tableOf(
  experiment: ComparisonName,
  validated: ReadonlyMap<NetworkKey, CrossValidation>,
): ComparisonTable {
  const { title, rows, reference } = comparisons[experiment]
  const other = validated.get(reference)!
  return {
    experiment,
    title,
    reference,
    rows: rows.map((network: NetworkKey) => {
      const own = validated.get(network)!
      return {
        network,
        name: networks[network].name,
        measured: ofEach((metric) => own.metrics[metric]!),
        published: publishedScores[network],
        ...(network !== reference && { difference: ofEach((metric) => differenceOf(own, other, metric)) }),
      }
    }),
  }
}

export function ofEach<T>(of: (metric: ShownMetric) => T): Record<ShownMetric, T> {
  return Object.fromEntries(shownMetrics.map((metric) => [metric, of(metric)])) as Record<ShownMetric, T>
}

function differenceOf(own: CrossValidation, other: CrossValidation, metric: ShownMetric): Difference {
  const draws = own.draws![metric]!.map((value, r) => value - other.draws![metric]![r]!)
  const interval = intervalOf(draws)
  const betweenSeeds = deviation(seedDifferences(own, other, metric))
  return {
    mean: own.metrics[metric]!.mean - other.metrics[metric]!.mean,
    ...(interval && { interval }),
    ...(Number.isNaN(betweenSeeds) ? {} : { betweenSeeds }),
  }
}

/** Of every seed, the mean over its folds. */
function seedDifferences(own: CrossValidation, other: CrossValidation, metric: ShownMetric): number[] {
  const seeds = [...new Set(own.runs.map(({ seed }) => seed))]
  const of = ({ runs }: CrossValidation, seed: number) =>
    mean(runs.filter((run) => run.seed === seed).map(({ metrics }) => metrics[metric]!))
  return seeds.map((seed) => of(own, seed) - of(other, seed))
}
