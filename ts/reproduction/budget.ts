import type { TrainSettings } from '../training/settings'

/** What decides how long an experiment takes, and with it how good its networks get. */
export interface Budget {
  /** Multiplies the channels of every network. */
  width: number
  /** Height and width that slices are brought to, pixels. */
  inputSize: number
  epochs: number
  batchSize: number
  /** Each trains every network in every fold. */
  seeds: readonly number[]
}

/**
 * `quick`: all experiments on two cores in about an hour, on the hundred slices of COVID-19-CT100. `full`: the networks at
 * their published width and input size, five times over; for a GPU.
 */
export const budgets = {
  quick: { width: 0.25, inputSize: 160, epochs: 24, batchSize: 4, seeds: [0] },
  full: { width: 1, inputSize: 512, epochs: 80, batchSize: 4, seeds: [0, 1, 2, 3, 4] },
} as const satisfies Record<string, Budget>

export type BudgetName = keyof typeof budgets

/** One recipe for all networks, so that they alone differ. */
export function segmenterSettings({ inputSize, epochs, batchSize }: Budget): TrainSettings {
  return { recipe: 'scratch', inputSize, epochs, batchSize, ema: { decay: 0.99 } }
}

/** Of the classifier whose features JCS combines: as many slices a step of a classifier is cheaper. */
export function classifierSettings({ inputSize, epochs }: Budget): TrainSettings {
  return { recipe: 'scratch', inputSize, epochs, batchSize: 8, ema: { decay: 0.99 } }
}
