import type { Budget } from './budget'
import { classifiersOf } from './classifiers'
import { type Experiment, type NetworkKey, networksOf } from './experiments'

/** Seconds of one training by the quick budget, 80 slices on two cores; measured once, of use beside each other. */
const trainingSeconds: Readonly<Record<NetworkKey, number>> = {
  base: 28,
  efm: 54,
  aff: 44,
  segmentation: 69,
  joint: 142,
  unet: 43,
  dss: 58,
  egnet: 124,
  poolnet: 54,
}

/** What the steps of a plan cost, in seconds of two cores: only their proportions count. */
export interface Costs {
  times: number
  classifier: number
  caseThresholds: number
  trainings: Record<NetworkKey, number>
}

export function costsOf(
  {
    width,
    inputSize,
    epochs,
    timedSlices,
    timedWidth,
    phantomIterations,
    phantomCases,
    slicesPerCase,
  }: Budget,
  slices: number,
): Costs {
  const beside = (width / 0.25) ** 1.5 * (inputSize / 160) ** 2 * (epochs / 24) * (slices / 99)
  return {
    times: 2.6 * timedSlices * timedWidth,
    classifier: 0.055 * phantomIterations,
    caseThresholds: 0.02 * phantomCases * slicesPerCase,
    trainings: Object.fromEntries(
      Object.entries(trainingSeconds).map(([network, seconds]) => [network, seconds * beside]),
    ) as Record<NetworkKey, number>,
  }
}

/** Of all that is wanted, with so many trainings of every network. */
export function totalCost(costs: Costs, wanted: readonly Experiment[], perNetwork: number): number {
  const steps = [
    wanted.includes('table-2') ? costs.times : 0,
    wanted.includes('table-4') ? costs.caseThresholds : 0,
    classifiersOf(wanted).length * costs.classifier,
    ...networksOf(wanted).map((network) => perNetwork * costs.trainings[network]),
  ]
  return steps.reduce((sum, cost) => sum + cost, 0)
}
