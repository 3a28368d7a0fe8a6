import { join } from 'node:path'
import { type CrossValidation, crossValidate } from '../cross-validate'
import type { CrossValidationRun } from '../cross-validation/directory'
import { type Fold, foldsOf } from '../cross-validation/folds'
import { type DatasetSource, readDataset } from '../datasets'
import type { ProgressEvent } from '../run/progress'
import type { RunContext } from '../run/run'
import { classifierSettings, segmenterSettings } from './budget'
import type { Costs } from './costs'
import { type NetworkKey, networks, networksOf } from './experiments'
import type { ReproductionPlan } from './options'
import type { PlanProgress } from './progress'

/** Of the data; none where no experiment needs any. */
export async function readFolds({ wanted, data }: ReproductionPlan, signal: AbortSignal): Promise<Fold[]> {
  if (data === undefined || networksOf(wanted).length === 0) return []
  const { samples } = await readDataset(data, { task: 'segmentation', signal })
  return foldsOf(samples, undefined, 0).folds
}

export interface Validated {
  validated: Map<NetworkKey, CrossValidation>
  /** Of all trainings. */
  device: string
  precision: string
  warnings: string[]
}

/** Cross-validates networks one after the other, each in a folder of its own, on the same folds and resamples. */
export async function validateAll(
  plan: ReproductionPlan,
  folds: readonly Fold[],
  costs: Costs,
  progress: PlanProgress,
  context: RunContext,
): Promise<Validated> {
  const keys = networksOf(plan.wanted)
  const validated = new Map<NetworkKey, CrossValidation>()
  const perNetwork = folds.length * plan.budget.seeds.length
  for (const [index, key] of keys.entries()) {
    const toPlan = (event: ProgressEvent): ProgressEvent => {
      if (event.phase !== 'cross-validate') return progress.of(event)
      const isThrough = event.metrics !== undefined
      // One that an earlier call has trained is through without having begun.
      if (!progress.isRunning) progress.begin(costs.trainings[key], 'train')
      if (isThrough) progress.end()
      return progress.of({
        ...event,
        phase: 'reproduce',
        network: networks[key].name,
        done: index * perNetwork + event.done,
        total: keys.length * perNetwork,
      })
    }
    const onProgress = (event: ProgressEvent) => void context.emit(toPlan(event))
    validated.set(key, await validate(key, plan, context.signal, onProgress))
  }
  const all = [...validated.values()]
  const ofRuns = (of: (run: CrossValidationRun) => string) =>
    distinct(all.flatMap(({ runs }) => runs.map(of))).join(', ')
  return {
    validated,
    device: ofRuns(({ device }) => device),
    precision: ofRuns(({ precision }) => precision),
    warnings: distinct(all.flatMap(({ warnings }) => warnings)),
  }
}

function validate(
  key: NetworkKey,
  { data, uninfected, budget, runtime, directory }: ReproductionPlan,
  signal: AbortSignal,
  onProgress: (event: ProgressEvent) => void,
): Promise<CrossValidation> {
  const { width, seeds } = budget
  const { spec } = networks[key]
  return crossValidate({
    ...runtime,
    ...segmenterSettings(budget),
    task: 'segmentation',
    spec: { ...spec, width },
    data: data as DatasetSource, // there where a network is needed: takeOptions
    seeds,
    ...(spec.network === 'jcs-joint' && {
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
    onProgress,
  })
}

/** At full width one takes longer to write than an epoch to train. */
const checkpointsOfTraining = 8

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)]
}
