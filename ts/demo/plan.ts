import type { TrainOptions } from '../training/options'

type Training = Omit<TrainOptions, 'data' | 'spec'> & {
  spec: { network: 'res2net50-v1b' | 'jcs-segmentation'; width: number; outputStride?: 8 }
}

/** Networks an eighth as wide as the published ones, and as much training as two cores do in a few minutes. */
const width = 0.125

const classifier: Training = {
  task: 'classification',
  // Maps of 12 × 12, so that they can point at something; those of stride 32 are 3 × 3.
  spec: { network: 'res2net50-v1b', width, outputStride: 8 },
  activationLossWeight: 20,
  recipe: 'scratch',
  inputSize: 96,
  batchSize: 16,
  iterations: 3000,
  optimizer: { name: 'adam', weightDecay: 1e-4 },
  schedule: { name: 'cosine', learningRate: 2e-3, warmupIterations: 30 },
  augmentation: { horizontalFlip: 0.5, translation: 0.05, scale: 0.1 },
  // Phantoms of two labels differ by small regions; blending two of them leaves too little of either.
  mixup: { alpha: 0 },
  validateEvery: 5,
}

const segmenter: Training = {
  task: 'segmentation',
  spec: { network: 'jcs-segmentation', width },
  recipe: 'scratch',
  inputSize: 96,
  batchSize: 8,
  iterations: 500,
  schedule: { name: 'poly', learningRate: 2e-3, power: 0.9, warmupIterations: 30 },
  augmentation: { horizontalFlip: 0.5, translation: 0.05, scale: 0.1 },
  validateEvery: 5,
}

/** What the demo does, chosen before any held-out case is looked at. */
export const demoPlan = {
  /** Narrow networks gain no time from bf16, and the classifier needs more steps with it. */
  precision: 'fp32',
  classifier,
  segmenter,
  /** Synthetic patients, four slices of each. */
  trainCases: 400,
  validationCases: 30,
  /** Side of the slices, pixels. */
  trainingSize: 96,
  caseSize: 128,
  caseCount: 4,
  slicesPerCase: 28,
  /**
   * A case is positive when more slices than this are: well above the false alarms to expect among 28 slices, well
   * below the half or more of them that opacities fill in an infected phantom.
   */
  sliceThreshold: 6,
} as const
