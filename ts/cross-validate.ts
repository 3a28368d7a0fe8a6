import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { checkOptions, requireNumber, requireObject, requireString, requireWhole } from './base/check'
import { JcsError } from './base/errors'
import { CrossValidationDirectory, type CrossValidationRun } from './cross-validation/directory'
import { PlanEta } from './cross-validation/eta'
import { type Fold, foldsOf } from './cross-validation/folds'
import { type Spread, scoresOf, spreadsOf } from './cross-validation/summary'
import { type BadSample, type DatasetSample, type DatasetSource, findOverlap, readDataset } from './datasets'
import { type EvaluateOptions, evaluate } from './evaluate'
import { Run, type RunContext } from './run/run'
import { train } from './train'
import { checkTrainOptions, resolveSettings, type TrainOptions } from './training/options'
import type { CheckpointOptions } from './training/settings'

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
  evaluation?:
    | Omit<EvaluateOptions, 'signal' | 'onProgress' | 'window' | 'maxPixels' | 'onBadSample'>
    | undefined
  /**
   * Gets a folder for every training, with its model and its result. Given again, after whatever interruption, what is
   * there is not done again, and a training goes on from its checkpoint.
   */
  directory?: string | undefined
  /** How often the training that runs is saved there. Default: every epoch. */
  checkpoint?: Omit<CheckpointOptions, 'directory'> | undefined
}

export interface CrossValidation {
  /** One for every fold and seed, fold by fold. */
  runs: CrossValidationRun[]
  /** Of every metric of `runs`. */
  metrics: Record<string, Spread>
  /** What did not stop the run and should be seen, as full sentences. */
  warnings: string[]
  /** What `onBadSample: 'skip'` left out. */
  skipped: BadSample[]
}

/**
 * Trains a network for every part of the data on all other parts, and scores it on the part that it did not see; with
 * several `seeds` as many times over. Parts share neither patients nor files, unless the dataset's own folds do, which
 * is warned of. Nothing of a part that is held out is used for a choice. Progress tells the time that is left of all
 * trainings.
 *
 * @throws JcsError RESUME_MISMATCH for the directory of another cross-validation, and what `train` and `evaluate` throw
 */
export function crossValidate(options: CrossValidateOptions): Run<CrossValidation> {
  return new Run(async (context) => {
    const { training, seeds, folds: count, foldSeed, evaluation, directory } = takeOptions(options)
    const { task, data, onBadSample, window, maxPixels } = options
    const { signal } = context
    const dataset = await readDataset(data, { task, onBadSample, window, maxPixels, signal })
    const { folds, warnings } = foldsOf(dataset.samples, count, foldSeed)
    for (const { name, train, held } of folds)
      for (const overlap of await findOverlap(train, held)) warnings.push(`Fold ${name}: ${overlap}`)

    const kept =
      directory === undefined
        ? undefined
        : await CrossValidationDirectory.open(directory, planOf(training, folds, evaluation))
    const wanted = folds.flatMap((fold) => seeds.map((seed) => ({ fold, seed })))
    const known = await Promise.all(wanted.map(({ fold, seed }) => kept?.read(fold.name, seed)))
    const eta = new PlanEta(known.filter((run) => run === undefined).length)
    const skipped = [...dataset.skipped]
    const runs: CrossValidationRun[] = []
    for (const [index, { fold, seed }] of wanted.entries()) {
      const report = (metrics?: Record<string, number>) =>
        context.emit({
          phase: 'cross-validate',
          done: runs.length,
          total: wanted.length,
          fold: fold.name,
          seed,
          ...(eta.leftMs !== undefined && { etaMs: eta.leftMs }),
          ...(metrics && { metrics }),
        })
      let run = known[index]
      if (!run) {
        report()
        eta.start()
        const outcome = await trainAndScore(training, fold, seed, evaluation, kept, eta, context)
        run = outcome.run
        for (const bad of outcome.skipped)
          if (!skipped.some(({ origin }) => origin === bad.origin)) skipped.push(bad)
        for (const warning of outcome.warnings) if (!warnings.includes(warning)) warnings.push(warning)
        await kept?.write(run)
        eta.finish()
      }
      runs.push(run)
      report(run.metrics)
    }
    return { runs, metrics: spreadsOf(runs), warnings: [...dataset.warnings, ...warnings], skipped }
  }, options)
}

/** Options of every training; what varies is set for each. */
type Training = Omit<TrainOptions, 'data' | 'seed' | 'checkpoint'> & {
  checkpoint: Omit<CheckpointOptions, 'directory'> | undefined
  validationFraction: number | undefined
}

function takeOptions(options: CrossValidateOptions) {
  requireObject('options', options)
  for (const name of ['model', 'resume', 'seed'])
    if (name in options)
      throw new JcsError(
        'INVALID_ARGUMENT',
        `${name} is not for cross-validation, whose networks are new; give spec, directory and seeds`,
      )
  const { data, folds, foldSeed = 0, seeds = [0], evaluation = {}, directory, ...training } = options
  const { signal: _, onProgress: __, validationFraction, checkpoint, ...rest } = training
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
  ])
  if (directory !== undefined) requireString('directory', directory)
  if (checkpoint !== undefined) {
    if (directory === undefined)
      throw new JcsError('INVALID_ARGUMENT', 'checkpoint needs a directory, which checkpoints are written to')
    checkOptions('checkpoint', checkpoint, ['every', 'everyIterations'])
  }
  return {
    seeds,
    folds,
    foldSeed,
    evaluation,
    directory: directory === undefined ? undefined : resolve(directory),
    training: {
      ...rest,
      checkpoint,
      validationFraction: validationFraction ?? (options.best === undefined ? undefined : 0.2),
    } satisfies Training,
  }
}

/** What must be the same for a directory to go on: all but how many seeds there are and how often is saved. */
function planOf(training: Training, folds: readonly Fold[], evaluation: object): Record<string, unknown> {
  const {
    task,
    spec,
    classifier,
    backbone,
    pretrained,
    window,
    validationFraction,
    checkpoint: _,
    ...settings
  } = training
  const named = (source: unknown) =>
    typeof source === 'string' || Array.isArray(source) ? source : undefined
  return {
    task,
    spec,
    settings: JSON.parse(
      resolveSettings({ ...settings, task, spec, backbone, window, data: { train: [] } }).toJson(),
    ),
    weights: { classifier: named(classifier), backbone: named(backbone), pretrained: named(pretrained) },
    validationFraction,
    evaluation,
    folds: Object.fromEntries(folds.map(({ name, held }) => [name, hashOf(held)])),
  }
}

/** Of what samples are called and what is known of them; images are many. */
function hashOf(samples: readonly DatasetSample[]): string {
  const hash = createHash('sha256')
  for (const { image, origin, label, patient } of samples)
    hash.update(JSON.stringify([typeof image === 'string' ? image : origin, label, patient]))
  return `${samples.length} samples, ${hash.digest('hex').slice(0, 32)}`
}

async function trainAndScore(
  { validationFraction, checkpoint, ...training }: Training,
  fold: Fold,
  seed: number,
  evaluation: EvaluateOptions,
  kept: CrossValidationDirectory | undefined,
  eta: PlanEta,
  { signal, emit }: RunContext,
): Promise<{ run: CrossValidationRun; warnings: string[]; skipped: BadSample[] }> {
  const onProgress = (event: Parameters<typeof emit>[0]) => void emit(eta.of(event))
  const { model, iterations, bestIteration, warnings, skipped } = await train({
    ...training,
    data: { train: fold.train, validationFraction },
    seed,
    ...(kept && {
      checkpoint: { ...checkpoint, directory: kept.folderOf(fold.name, seed) },
      resume: await kept.checkpointOf(fold.name, seed),
    }),
    signal,
    onProgress,
  })
  try {
    const { onBadSample, window, maxPixels } = training
    const scored = await evaluate(model, fold.held, {
      ...evaluation,
      onBadSample,
      window,
      maxPixels,
      signal,
      onProgress,
    })
    const file = kept?.modelOf(fold.name, seed)
    if (file !== undefined) await model.save(file)
    return {
      run: {
        fold: fold.name,
        seed,
        samples: scored.samples,
        trainedOn: fold.train.length,
        iterations,
        ...(bestIteration !== undefined && { bestIteration }),
        metrics: scoresOf(scored),
        ...(file !== undefined && { model: file }),
      },
      warnings,
      skipped: [...skipped, ...scored.skipped],
    }
  } finally {
    await model.dispose()
  }
}
