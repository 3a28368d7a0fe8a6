import type { BadSample } from '../datasets'
import { evaluate } from '../evaluate'
import type { BootstrapOptions } from '../evaluation/bootstrap'
import type { RunContext } from '../run/run'
import { train } from '../train'
import type { CrossValidationDirectory, ScoredRun } from './directory'
import type { PlanEta } from './eta'
import type { Fold } from './folds'
import type { Scoring, Training } from './options'
import { scoresOf } from './summary'

/** One training of the plan: on all but the fold, then scored on it. */
export async function trainAndScore(
  { validationFraction, checkpoint, ...training }: Training,
  fold: Fold,
  seed: number,
  population: BootstrapOptions['population'],
  evaluation: Scoring,
  kept: CrossValidationDirectory | undefined,
  eta: PlanEta,
  { signal, emit }: RunContext,
): Promise<{ scored: ScoredRun; warnings: string[]; skipped: BadSample[] }> {
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
      bootstrap: { ...evaluation.bootstrap, draws: true, population },
      onBadSample,
      window,
      maxPixels,
      signal,
      onProgress,
    })
    const file = kept?.modelOf(fold.name, seed)
    if (file !== undefined) await model.save(file)
    const run = {
      fold: fold.name,
      seed,
      samples: scored.samples,
      trainedOn: fold.train.length,
      iterations,
      ...(bestIteration !== undefined && { bestIteration }),
      metrics: scoresOf(scored),
      ...(file !== undefined && { model: file }),
    }
    return {
      scored: { run, draws: scored.draws ?? {} },
      warnings,
      skipped: [...skipped, ...scored.skipped],
    }
  } finally {
    await model.dispose()
  }
}
