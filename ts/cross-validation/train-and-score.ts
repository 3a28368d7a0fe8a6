import { join } from 'node:path'
import type { BadSample } from '../datasets'
import { evaluate } from '../evaluate'
import type { BootstrapOptions } from '../evaluation/bootstrap'
import { Model } from '../model'
import type { RunContext } from '../run/run'
import { train } from '../train'
import { classifierOf, type FoldClassifier } from './classifier'
import type { CrossValidationDirectory, ScoredRun } from './directory'
import type { PlanEta } from './eta'
import type { Fold } from './folds'
import type { Scoring, Training } from './options'
import { scoresOf } from './summary'

/** What is the same for all trainings of a fold. */
export interface FoldPlan {
  training: Training
  classifier: FoldClassifier | undefined
  evaluation: Scoring
  population: BootstrapOptions['population']
  kept: CrossValidationDirectory | undefined
}

/** One training of the plan: on all but the fold, then scored on it. */
export async function trainAndScore(
  {
    training: { validationFraction, checkpoint, ...training },
    classifier,
    evaluation,
    population,
    kept,
  }: FoldPlan,
  fold: Fold,
  seed: number,
  eta: PlanEta,
  { signal, emit }: RunContext,
): Promise<{ scored: ScoredRun; warnings: string[]; skipped: BadSample[] }> {
  const onProgress = (event: Parameters<typeof emit>[0]) => void emit(eta.of(event))
  const { onBadSample, window, maxPixels, device, precision, threads, memoryLimitBytes } = training
  const surroundings = { onBadSample, window, maxPixels, device, precision, threads, memoryLimitBytes }
  const folder = kept?.folderOf(fold.name, seed)
  const companion =
    classifier &&
    (await classifierOf(
      classifier,
      { ...surroundings, signal, onProgress },
      fold.train,
      seed,
      folder && join(folder, 'classifier'),
    ))
  try {
    const { model, iterations, bestIteration, warnings, skipped } = await train({
      ...training,
      ...(companion && { classifier: companion.classifier }),
      data: { train: fold.train, validationFraction },
      seed,
      ...(kept &&
        folder && {
          checkpoint: { ...checkpoint, directory: folder },
          resume: await kept.checkpointOf(fold.name, seed),
        }),
      signal,
      onProgress,
    })
    await using trained = model
    const scored = await evaluate(trained, fold.held, {
      ...evaluation,
      bootstrap: { ...evaluation.bootstrap, draws: true, population },
      onBadSample,
      window,
      maxPixels,
      signal,
      onProgress,
    })
    const file = kept?.modelOf(fold.name, seed)
    if (file !== undefined) await trained.save(file)
    const run = {
      fold: fold.name,
      seed,
      samples: scored.samples,
      trainedOn: fold.train.length,
      iterations,
      device: trained.device,
      precision: trained.precision,
      ...(bestIteration !== undefined && { bestIteration }),
      metrics: scoresOf(scored),
      ...(scored.task === 'segmentation' && { slices: scored.slices }),
      ...(file !== undefined && { model: file }),
    }
    return {
      scored: { run, draws: scored.draws ?? {} },
      warnings: [...(companion?.warnings ?? []), ...warnings],
      skipped: [...(companion?.skipped ?? []), ...skipped, ...scored.skipped],
    }
  } finally {
    if (companion?.classifier instanceof Model) await companion.classifier.dispose()
  }
}
