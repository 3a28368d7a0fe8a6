import { version } from './base/version'
import { makeWritableDirectory } from './base/write-files'
import { classifyPhantoms } from './reproduction/classify-phantoms'
import { costsOf, totalCost } from './reproduction/costs'
import { examplesOf } from './reproduction/examples'
import { caveatsOf, isComparison, studied } from './reproduction/experiments'
import { lesionStatisticsOf } from './reproduction/lesion-statistics'
import { type ReproduceOptions, takeOptions } from './reproduction/options'
import { PlanProgress } from './reproduction/progress'
import type { Reproduction } from './reproduction/result'
import { tableOf } from './reproduction/tables'
import { timesOf } from './reproduction/times'
import { readFolds, validateAll } from './reproduction/validate'
import { filesIn, writeResults } from './reproduction/write'
import { Run } from './run/run'

/**
 * Makes tables and figures of the paper again; beside them stand its numbers. Segmenters (tables V to VII, figures 10 and
 * 11) by cross-validation on data of one's own: every network is trained by one recipe, in every fold, and scored on what
 * it has not seen. Classifiers (table IV, figure 9) on synthetic phantoms. Times (table II) on this machine. Writes
 * `results.json`, `results.md` and `results.html` into the directory. Interrupted at whatever moment, the same call goes
 * on with the step after the last checkpoint.
 *
 * @throws JcsError INVALID_TYPE, INVALID_ARGUMENT, RESUME_MISMATCH for a directory with another budget or other data, and
 * what `crossValidate` throws
 */
export function reproduce(options: ReproduceOptions): Run<Reproduction> {
  return new Run(async (context) => {
    const plan = takeOptions(options)
    const { wanted, budget, directory } = plan
    await makeWritableDirectory(directory)
    const folds = await readFolds(plan, context.signal)
    const samples = folds.reduce((sum, { held }) => sum + held.length, 0)
    const costs = costsOf(budget, samples)
    const progress = new PlanProgress(totalCost(costs, wanted, folds.length * budget.seeds.length))
    const within = progress.within(context)

    const times = wanted.includes('table-2')
      ? await progress.during(costs.times, 'segment', () => timesOf(plan, within))
      : undefined
    const { pictures: activationMaps, ...classified } = await classifyPhantoms(plan, costs, progress, within)
    const { validated, ...setting } = await validateAll(plan, folds, costs, progress, context)
    const shown = wanted.includes('figure-10')
      ? await examplesOf(validated, folds, plan.runtime, context)
      : undefined
    const result: Reproduction = {
      ...(times && { times }),
      ...classified,
      tables: wanted.filter(isComparison).map((one) => tableOf(one, validated)),
      ...(shown && { examples: shown.examples }),
      ...(wanted.includes('figure-11') && { lesions: lesionStatisticsOf(validated.get(studied)!) }),
      budget,
      samples,
      folds: folds.length,
      ...setting,
      library: version,
      caveats: caveatsOf(plan),
      files: filesIn(directory),
    }
    await writeResults(result, {
      ...(activationMaps && { activationMaps }),
      ...(shown && { examples: shown.pictures }),
    })
    return result
  }, options)
}
