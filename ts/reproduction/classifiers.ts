import { join } from 'node:path'
import { keepPlan } from '../base/kept-plan'
import { trainKept } from '../cross-validation/kept-training'
import { loadModel, type Model } from '../model'
import type { PhantomSample } from '../phantom'
import type { RunContext } from '../run/run'
import type { TrainSettings } from '../training/settings'
import type { Experiment } from './experiments'
import type { ReproductionPlan } from './options'
import { phantomSize } from './phantoms'

/** The trainings that figure 9 compares; the last is the paper's classifier, that of table IV. */
export const classifierTrainings = {
  origin: { name: 'origin', settings: { mixup: { alpha: 0 }, activationLoss: false } },
  mixing: { name: 'image mixing', settings: { mixup: { alpha: 0.5 }, activationLoss: false } },
  guided: {
    name: 'image mixing and segmentation loss',
    settings: { mixup: { alpha: 0.5 }, activationLoss: true, activationLossWeight: 20 },
  },
} as const satisfies Record<string, { name: string; settings: TrainSettings }>

export type ClassifierKey = keyof typeof classifierTrainings

/** Those that experiments need. */
export function classifiersOf(wanted: readonly Experiment[]): ClassifierKey[] {
  if (wanted.includes('figure-9')) return Object.keys(classifierTrainings) as ClassifierKey[]
  return wanted.includes('table-4') ? ['guided'] : []
}

/** Wide enough for phantoms, and activation maps fine enough to point at something. */
const spec = { network: 'res2net50-v1b', width: 0.125, outputStride: 8 } as const

const common = {
  task: 'classification',
  recipe: 'scratch',
  inputSize: phantomSize,
  batchSize: 16,
  schedule: { name: 'cosine', learningRate: 2e-3, warmupIterations: 30 },
  augmentation: { horizontalFlip: 0.5, translation: 0.05, scale: 0.1 },
} as const

/** The classifier of one training, of phantoms, which is done once; the caller disposes of it. */
export async function phantomClassifier(
  key: ClassifierKey,
  { directory, runtime, budget }: ReproductionPlan,
  draw: () => Promise<PhantomSample[]>,
  { signal, emit }: RunContext,
): Promise<Model> {
  const { phantomPatients, phantomIterations } = budget
  await keepPlan(join(directory, 'classifiers'), 'classifiers', { phantomPatients, phantomIterations })
  const { file } = await trainKept(join(directory, 'classifiers', key), {
    ...common,
    ...classifierTrainings[key].settings,
    ...runtime,
    spec,
    iterations: phantomIterations,
    data: async () => ({ train: await draw() }),
    signal,
    onProgress: (event) => void emit(event),
  })
  return loadModel(file, runtime)
}
