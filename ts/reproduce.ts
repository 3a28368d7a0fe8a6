import { version } from './base/version'
import { caveatsOf, isComparison, networksOf, studied } from './reproduction/experiments'
import { lesionStatisticsOf } from './reproduction/lesion-statistics'
import { type ReproduceOptions, takeOptions } from './reproduction/options'
import type { Reproduction } from './reproduction/result'
import { tableOf } from './reproduction/tables'
import { validateAll } from './reproduction/validate'
import { filesIn, writeResults } from './reproduction/write'
import { Run } from './run/run'

/**
 * Makes tables and figures of the paper again (section V) by cross-validation on data of one's own: every network is
 * trained by one recipe, in every fold, and scored on what it has not seen; beside it stand the paper's numbers. Writes
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
    const needed = networksOf(wanted)
    const { validated, ...setting } = await validateAll(needed, plan, context)
    const result: Reproduction = {
      tables: wanted.filter(isComparison).map((one) => tableOf(one, validated)),
      ...(wanted.includes('figure-11') && { lesions: lesionStatisticsOf(validated.get(studied)!) }),
      budget,
      ...setting,
      library: version,
      caveats: caveatsOf(plan, needed),
      files: filesIn(directory),
    }
    await writeResults(result)
    return result
  }, options)
}
