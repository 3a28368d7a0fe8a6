import { resolve } from 'node:path'
import {
  checkOptions,
  requireKnown,
  requireNumber,
  requireObject,
  requireString,
  requireWhole,
} from '../base/check'
import { JcsError } from '../base/errors'
import type { DatasetSource } from '../datasets'
import type { BootstrapOptions } from '../evaluation/bootstrap'
import { type EvaluateOptions, refuseThresholds, takeScoring } from '../evaluation/options'
import { checkTrainOptions, type TrainOptions } from '../training/options'
import type { CheckpointOptions } from '../training/settings'
import { type ClassifierTraining, checkClassifierTraining } from './classifier'

export interface CrossValidateOptions
  extends Omit<TrainOptions, 'data' | 'model' | 'resume' | 'seed' | 'checkpoint'> {
  data: DatasetSource
  /**
   * How many parts the patients are divided into. Default: the dataset's own folds, of a CSV with a column `fold`,
   * else 5.
   */
  folds?: number | undefined
  /** Decides which patients share a part. Default 0. */
  foldSeed?: number | undefined
  /** Each trains a network for every fold. Default [0]. */
  seeds?: readonly number[] | undefined
  /**
   * Share of what a fold is trained on that is set aside, whole patients at a time, to validate on; `best` chooses by
   * it, never by what is held out. Default: 0.2 with `best`, else none.
   */
  validationFraction?: number | undefined
  /** How what is held out is scored: options of `evaluate`. */
  evaluation?: Scoring | undefined
  /** Of `jcs-joint`: trains its classifier for every fold, on that fold's samples. */
  classifierTraining?: ClassifierTraining | undefined
  /**
   * Gets a folder for every training, with its model and its result. Given again, after whatever interruption, what is
   * there is not done again, and a training goes on from its checkpoint.
   */
  directory?: string | undefined
  /** How often the training that runs is saved there. Default: every epoch. */
  checkpoint?: Omit<CheckpointOptions, 'directory'> | undefined
}

/** What of `evaluate` is the same for every fold. */
export type Scoring = Pick<
  EvaluateOptions,
  'threshold' | 'sliceThresholds' | 'batchSize' | 'testTimeAugmentation'
> & { bootstrap?: Omit<BootstrapOptions, 'population'> | undefined }

/** Options of every training; what varies is set for each. */
export type Training = Omit<TrainOptions, 'data' | 'seed' | 'checkpoint'> & {
  checkpoint: Omit<CheckpointOptions, 'directory'> | undefined
  validationFraction: number | undefined
}

/** @throws JcsError INVALID_TYPE, INVALID_ARGUMENT */
export function takeOptions(options: CrossValidateOptions) {
  requireObject('options', options)
  for (const name of ['model', 'resume', 'seed'])
    if ((options as Record<string, unknown>)[name] !== undefined)
      throw new JcsError(
        'INVALID_ARGUMENT',
        `${name} is not for cross-validation, whose networks are new; give spec, directory and seeds`,
      )
  const { data, folds, foldSeed = 0, seeds = [0], evaluation = {}, directory, ...training } = options
  const { signal: _, onProgress: __, validationFraction, checkpoint, classifierTraining, ...rest } = training
  checkTrainOptions({ ...rest, data: { train: data } })
  if (folds !== undefined) requireWhole('folds', folds, 2, 1000)
  requireWhole('foldSeed', foldSeed, 0)
  if (!Array.isArray(seeds) || seeds.length === 0)
    throw new JcsError('INVALID_TYPE', 'seeds must be an array of at least one whole number')
  for (const seed of seeds) requireWhole('every one of seeds', seed, 0)
  if (new Set(seeds).size < seeds.length)
    throw new JcsError('INVALID_ARGUMENT', 'seeds must differ: equal ones train the same network')
  if (validationFraction !== undefined) requireNumber('validationFraction', validationFraction, 0, 1)
  checkOptions('evaluation', evaluation, [
    'threshold',
    'sliceThresholds',
    'batchSize',
    'testTimeAugmentation',
    'bootstrap',
  ])
  takeScoring(evaluation)
  if (options.task === 'segmentation') refuseThresholds(evaluation)
  if (evaluation.bootstrap) requireKnown('bootstrap', evaluation.bootstrap, ['resamples', 'seed', 'draws'])
  if (directory !== undefined) requireString('directory', directory)
  if (checkpoint !== undefined) {
    if (directory === undefined)
      throw new JcsError('INVALID_ARGUMENT', 'checkpoint needs a directory, which checkpoints are written to')
    checkOptions('checkpoint', checkpoint, ['every', 'everyIterations'])
  }
  const settings: Training = {
    ...rest,
    checkpoint,
    validationFraction: validationFraction ?? (options.best === undefined ? undefined : 0.2),
  }
  if (classifierTraining !== undefined) checkClassifierTraining(classifierTraining, settings)
  return {
    seeds,
    folds,
    foldSeed,
    evaluation,
    classifierTraining,
    directory: directory === undefined ? undefined : resolve(directory),
    training: settings,
  }
}
