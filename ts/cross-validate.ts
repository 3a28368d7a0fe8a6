import { readUninfected } from './cross-validation/classifier'
import {
  CrossValidationDirectory,
  type CrossValidationRun,
  type ScoredRun,
} from './cross-validation/directory'
import { PlanEta } from './cross-validation/eta'
import { foldsOf, populationOf } from './cross-validation/folds'
import { type CrossValidateOptions, takeOptions } from './cross-validation/options'
import { planOf } from './cross-validation/plan'
import { drawsOf, type Spread, spreadsOf } from './cross-validation/summary'
import { trainAndScore } from './cross-validation/train-and-score'
import { type BadSample, findOverlap, readDataset } from './datasets'
import { Run } from './run/run'

export interface CrossValidation {
  /** One for every fold and seed, fold by fold. */
  runs: CrossValidationRun[]
  /** Of every metric of `runs`. */
  metrics: Record<string, Spread>
  /**
   * With `evaluation.bootstrap.draws`: what each mean is in every resample of the patients. Networks that are validated on
   * the same folds with the same bootstrap have the same resamples, so that differences of their draws are paired.
   */
  draws?: Record<string, number[]>
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
    const taken = takeOptions(options)
    const { training, seeds, folds: count, foldSeed, evaluation, classifierTraining, directory } = taken
    const { task, data, onBadSample, window, maxPixels } = options
    const { signal } = context
    const dataset = await readDataset(data, { task, onBadSample, window, maxPixels, signal })
    const { folds, warnings } = foldsOf(dataset.samples, count, foldSeed)
    for (const { name, train, held } of folds)
      for (const overlap of await findOverlap(train, held)) warnings.push(`Fold ${name}: ${overlap}`)
    const uninfected =
      classifierTraining && (await readUninfected(classifierTraining, training, folds, signal))
    const classifier = uninfected && { training: classifierTraining, uninfected: uninfected.samples }
    warnings.push(...(uninfected?.warnings ?? []))

    const kept =
      directory === undefined
        ? undefined
        : await CrossValidationDirectory.open(
            directory,
            await planOf(training, folds, evaluation, classifier),
          )
    const wanted = folds.flatMap((fold) => seeds.map((seed) => ({ fold, seed })))
    const known = await Promise.all(wanted.map(({ fold, seed }) => kept?.read(fold.name, seed)))
    const eta = new PlanEta(known.filter((scored) => scored === undefined).length)
    const skipped = [...dataset.skipped, ...(uninfected?.skipped ?? [])]
    const scored: ScoredRun[] = []
    for (const [index, { fold, seed }] of wanted.entries()) {
      const report = (metrics?: Record<string, number>) =>
        context.emit({
          phase: 'cross-validate',
          done: scored.length,
          total: wanted.length,
          fold: fold.name,
          seed,
          ...(eta.leftMs !== undefined && { etaMs: eta.leftMs }),
          ...(metrics && { metrics }),
        })
      let one = known[index]
      if (!one) {
        report()
        eta.start()
        const outcome = await trainAndScore(
          { training, classifier, evaluation, population: populationOf(folds, fold), kept },
          fold,
          seed,
          eta,
          context,
        )
        one = outcome.scored
        for (const bad of outcome.skipped)
          if (!skipped.some(({ origin }) => origin === bad.origin)) skipped.push(bad)
        for (const warning of outcome.warnings) if (!warnings.includes(warning)) warnings.push(warning)
        await kept?.write(one)
        eta.finish()
      }
      scored.push(one)
      report(one.run.metrics)
    }
    return {
      runs: scored.map(({ run }) => run),
      metrics: spreadsOf(scored),
      ...(evaluation.bootstrap?.draws && { draws: drawsOf(scored) }),
      warnings: [...dataset.warnings, ...warnings],
      skipped,
    }
  }, options)
}
