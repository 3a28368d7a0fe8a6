import { join } from 'node:path'
import { type CrossValidation, crossValidate } from '../cross-validate'
import type { CrossValidationRun } from '../cross-validation/directory'
import { foldsOf } from '../cross-validation/folds'
import { type DatasetSource, readDataset } from '../datasets'
import type { RunContext } from '../run/run'
import { classifierSettings, segmenterSettings } from './budget'
import { type NetworkKey, networks } from './experiments'
import type { ReproductionPlan } from './options'
import { PlanProgress } from './progress'

export interface Validated {
  validated: Map<NetworkKey, CrossValidation>
  samples: number
  folds: number
  /** Of all trainings. */
  device: string
  precision: string
  warnings: string[]
}

/** Cross-validates networks one after the other, each in a folder of its own, on the same folds and resamples. */
export async function validateAll(
  keys: readonly NetworkKey[],
  plan: ReproductionPlan,
  context: RunContext,
): Promise<Validated> {
  const { data } = plan
  if (data === undefined || keys.length === 0)
    return { validated: new Map(), samples: 0, folds: 0, device: '', precision: '', warnings: [] }
  const { samples } = await readDataset(data, { task: 'segmentation', signal: context.signal })
  const folds = foldsOf(samples, undefined, 0).folds.length
  const perNetwork = folds * plan.budget.seeds.length
  const progress = new PlanProgress(keys.length * perNetwork)
  const validated = new Map<NetworkKey, CrossValidation>()
  for (const key of keys) {
    progress.start(networks[key].name, perNetwork)
    validated.set(key, await validate(key, data, plan, context, progress))
  }
  const all = [...validated.values()]
  const ofRuns = (of: (run: CrossValidationRun) => string) =>
    distinct(all.flatMap(({ runs }) => runs.map(of)))
  return {
    validated,
    samples: samples.length,
    folds,
    device: ofRuns(({ device }) => device).join(', '),
    precision: ofRuns(({ precision }) => precision).join(', '),
    warnings: distinct(all.flatMap(({ warnings }) => warnings)),
  }
}

function validate(
  key: NetworkKey,
  data: DatasetSource,
  { uninfected, budget, runtime, directory }: ReproductionPlan,
  { signal, emit }: RunContext,
  progress: PlanProgress,
): Promise<CrossValidation> {
  const { width, seeds } = budget
  const { spec } = networks[key]
  const isJoint = spec.network === 'jcs-joint'
  return crossValidate({
    ...runtime,
    ...segmenterSettings(budget),
    task: 'segmentation',
    spec: { ...spec, width },
    data,
    seeds,
    ...(isJoint && {
      classifierTraining: {
        ...classifierSettings(budget),
        spec: { network: 'res2net50-v1b', width },
        uninfected,
      },
    }),
    evaluation: { bootstrap: { draws: true } },
    directory: join(directory, 'networks', key),
    checkpoint: { every: Math.ceil(budget.epochs / checkpointsOfTraining) },
    signal,
    onProgress: (event) => void emit(progress.of(event)),
  })
}

/** At full width one takes longer to write than an epoch to train. */
const checkpointsOfTraining = 8

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)]
}
