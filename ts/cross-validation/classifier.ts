import { join } from 'node:path'
import { checkOptions, requireObject } from '../base/check'
import { JcsError } from '../base/errors'
import { exists } from '../base/files'
import { type DatasetSample, type DatasetSource, findOverlap, readDataset } from '../datasets'
import type { Model } from '../model'
import { combinesClassifier, type ModelSpec } from '../model/spec'
import type { RunContext } from '../run/run'
import { train } from '../train'
import { checkTrainOptions, type TrainOptions } from '../training/options'
import { type TrainSettings, trainSettingNames } from '../training/settings'
import type { Fold } from './folds'

/**
 * The classifier whose features `jcs-joint` combines, trained anew for every fold on what that fold learns from: one that
 * was trained before may have seen what is held out.
 */
export interface ClassifierTraining extends Omit<TrainSettings, 'seed' | 'checkpoint' | 'resume'> {
  spec: ModelSpec
  /** Slices without infection, for every fold. Default: none, for segmentation data may be of infected slices alone. */
  uninfected?: DatasetSource | undefined
}

const names = [
  ...trainSettingNames.filter((name) => !['seed', 'checkpoint', 'resume'].includes(name)),
  'spec',
  'uninfected',
]

/** @throws JcsError INVALID_TYPE, INVALID_ARGUMENT */
export function checkClassifierTraining(
  given: ClassifierTraining,
  training: Pick<TrainOptions, 'spec' | 'classifier'>,
): void {
  requireObject('classifierTraining', given)
  checkOptions('classifierTraining', given, names)
  const network = training.spec?.network
  if (network === undefined || !combinesClassifier(network))
    throw new JcsError(
      'INVALID_ARGUMENT',
      `network '${network}' does not combine a classifier's features; leave classifierTraining out`,
    )
  if (training.classifier !== undefined)
    throw new JcsError('INVALID_ARGUMENT', 'give either classifier or classifierTraining')
  const { uninfected: _, ...settings } = given
  checkTrainOptions({ ...settings, task: 'classification', data: { train: [] } })
}

/** `uninfected` read once, for all folds. */
export async function readUninfected(
  { uninfected }: ClassifierTraining,
  { onBadSample, maxPixels, window }: Pick<TrainOptions, 'onBadSample' | 'maxPixels' | 'window'>,
  folds: readonly Fold[],
  signal: AbortSignal,
): Promise<{ samples: DatasetSample[]; warnings: string[] }> {
  if (uninfected === undefined) return { samples: [], warnings: [] }
  const task = 'classification'
  const dataset = await readDataset(uninfected, { task, onBadSample, maxPixels, window, signal })
  const infected = dataset.samples.find(({ label }) => label !== 0)
  if (infected)
    throw new JcsError(
      'INVALID_ARGUMENT',
      `classifierTraining.uninfected has a sample that is not labelled 0, ${infected.origin}`,
    )
  const warnings = [...dataset.warnings]
  for (const { name, held } of folds)
    for (const overlap of await findOverlap(dataset.samples, held)) warnings.push(`Fold ${name}: ${overlap}`)
  return { samples: dataset.samples, warnings }
}

/** The caller disposes of it. Kept in `directory`, where there is one, it is not trained again. */
export async function classifierOf(
  { uninfected: _, ...settings }: ClassifierTraining,
  {
    onBadSample,
    maxPixels,
    window,
    device,
    precision,
    threads,
  }: Pick<TrainOptions, 'onBadSample' | 'maxPixels' | 'window' | 'device' | 'precision' | 'threads'>,
  samples: readonly DatasetSample[],
  seed: number,
  directory: string | undefined,
  context: Pick<RunContext, 'signal'> & { onProgress: RunContext['emit'] },
): Promise<{ classifier: Model | string; warnings: string[] }> {
  const file = directory === undefined ? undefined : join(directory, 'classifier.safetensors')
  if (file !== undefined && (await exists(file))) return { classifier: file, warnings: [] }
  const checkpoint = directory === undefined ? undefined : join(directory, 'checkpoint.safetensors')
  const { model, warnings } = await train({
    ...settings,
    ...{ onBadSample, maxPixels, window, device, precision, threads },
    task: 'classification',
    seed,
    data: { train: samples },
    ...(directory !== undefined && {
      checkpoint: { directory },
      ...(checkpoint && (await exists(checkpoint)) && { resume: checkpoint }),
    }),
    ...context,
  })
  if (file === undefined) return { classifier: model, warnings }
  await model.save(file)
  await model.dispose()
  return { classifier: file, warnings }
}

/** A slice that a mask outlines lesions on is infected, unless its dataset says otherwise. */
export function labelled(samples: readonly DatasetSample[]): DatasetSample[] {
  return samples.map((sample) => ({ ...sample, label: sample.label ?? 1 }))
}
