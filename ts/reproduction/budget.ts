import type { TrainSettings } from '../training/settings'

/** What decides how long an experiment takes, and with it how good its networks get. */
export interface Budget {
  /** Of the segmenters: multiplies their channels, in (0, 4]. */
  width: number
  /** Height and width that slices are brought to, pixels, in [32, 16384]. */
  inputSize: number
  epochs: number
  batchSize: number
  /** Each trains every segmenter in every fold. */
  seeds: readonly number[]
  /** Synthetic patients that classifiers are trained on, four slices of each. */
  phantomPatients: number
  /** Steps of their training. */
  phantomIterations: number
  /** Synthetic cases that they decide, half of them infected. */
  phantomCases: number
  /** Slices of each, 1 to 400. */
  slicesPerCase: number
  /** Slices that are timed. */
  timedSlices: number
  /** Of the networks that are timed, in (0, 4]. */
  timedWidth: number
}

/**
 * `quick`: all experiments on two cores in about an hour, on the hundred slices of COVID-19-CT100. `full`: the networks at
 * their published width and input size, five times over; for a GPU.
 */
export const budgets = {
  quick: {
    width: 0.25,
    inputSize: 160,
    epochs: 24,
    batchSize: 4,
    seeds: [0],
    phantomPatients: 400,
    phantomIterations: 1500,
    phantomCases: 20,
    slicesPerCase: 300,
    timedSlices: 20,
    timedWidth: 1,
  },
  full: {
    width: 1,
    inputSize: 512,
    epochs: 80,
    batchSize: 4,
    seeds: [0, 1, 2, 3, 4],
    phantomPatients: 2000,
    phantomIterations: 6000,
    phantomCases: 60,
    slicesPerCase: 300,
    timedSlices: 300,
    timedWidth: 1,
  },
} as const satisfies Record<string, Budget>

export type BudgetName = keyof typeof budgets

/** One recipe for all networks, so that they alone differ. */
export function segmenterSettings({ inputSize, epochs, batchSize }: Budget): TrainSettings {
  return { recipe: 'scratch', inputSize, epochs, batchSize, ema: { decay: 0.99 } }
}

/** Of the classifier whose features JCS combines. */
export function classifierSettings({ inputSize, epochs }: Budget): TrainSettings {
  return { recipe: 'scratch', inputSize, epochs, batchSize: 8, ema: { decay: 0.99 } }
}
