import { checkOptions, requireObject } from '../base/check'
import { JcsError } from '../base/errors'
import {
  type BadSample,
  type Dataset,
  type DatasetSample,
  type DatasetSource,
  findOverlap,
  readSamples,
} from '../datasets'
import type { Model } from '../model'
import type { runtimeOptionNames } from '../model/runtime'
import { combinesClassifier, type ModelSpec } from '../model/spec'
import { train } from '../train'
import { checkTrainOptions, type TrainOptions } from '../training/options'
import { type TrainSettings, trainSettingNames } from '../training/settings'
import type { Fold } from './folds'
import { trainKept } from './kept-training'

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
): Promise<Dataset> {
  if (uninfected === undefined) return { samples: [], warnings: [], skipped: [] }
  const task = 'classification'
  // Their one label is no fault, as it would be of a whole dataset.
  const dataset = await readSamples(uninfected, { task, onBadSample, maxPixels, window, signal })
  const infected = dataset.samples.find(({ label }) => label !== 0)
  if (infected)
    throw new JcsError(
      'INVALID_ARGUMENT',
      `classifierTraining.uninfected has a sample that is not labelled 0, ${infected.origin}`,
    )
  const warnings = [...dataset.warnings]
  for (const { name, held } of folds)
    for (const overlap of await findOverlap(dataset.samples, held)) warnings.push(`Fold ${name}: ${overlap}`)
  return { ...dataset, warnings }
}

/** What a fold's classifier is trained with. */
export interface FoldClassifier {
  training: ClassifierTraining
  uninfected: readonly DatasetSample[]
}

type Surroundings = Pick<
  TrainOptions,
  RuntimeName | 'onBadSample' | 'maxPixels' | 'window' | 'signal' | 'onProgress'
>
type RuntimeName = (typeof runtimeOptionNames)[number]

/** The classifier of a fold; a Model is the caller's to dispose of, a path is in `folder`, where it is trained once. */
export async function classifierOf(
  { training: { uninfected: _, ...settings }, uninfected }: FoldClassifier,
  surroundings: Surroundings,
  samples: readonly DatasetSample[],
  seed: number,
  folder: string | undefined,
): Promise<{ classifier: Model | string; warnings: string[]; skipped: BadSample[] }> {
  const options = { ...surroundings, ...settings, task: 'classification', seed } as const
  const data = { train: [...labelled(samples), ...uninfected] }
  if (folder === undefined) {
    const { model, warnings, skipped } = await train({ ...options, data })
    return { classifier: model, warnings, skipped }
  }
  const { file, ...rest } = await trainKept(folder, { ...options, data: async () => data })
  return { classifier: file, ...rest }
}

/** A slice that a mask outlines lesions on is infected, unless its dataset says otherwise. */
function labelled(samples: readonly DatasetSample[]): DatasetSample[] {
  return samples.map((sample) => ({ ...sample, label: sample.label ?? 1 }))
}
