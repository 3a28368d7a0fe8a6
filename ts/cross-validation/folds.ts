import { JcsError } from '../base/errors'
import { type DatasetSample, foldsByPatient } from '../datasets'

/** One part of the data, which the network of this fold is scored on, and all the others, which it learns from. */
export interface Fold {
  name: string
  train: DatasetSample[]
  held: DatasetSample[]
}

/** Of all folds, fold by fold, and how many there are in the folds before one; whoever has no patient is one alone. */
export function populationOf(folds: readonly Fold[], fold: Fold): { patients: number; before: number } {
  const counts = folds.map(({ held }) => patientsIn(held))
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
  return { patients: sum(counts), before: sum(counts.slice(0, folds.indexOf(fold))) }
}

function patientsIn(samples: readonly DatasetSample[]): number {
  const named = samples.flatMap(({ patient }) => (patient ? [patient] : []))
  return new Set(named).size + samples.length - named.length
}

const defaultCount = 5

/** Those of the dataset's own `fold`s, unless `count` asks for as many new ones, which part whole patients. */
export function foldsOf(
  samples: readonly DatasetSample[],
  count: number | undefined,
  seed: number,
): { folds: Fold[]; warnings: string[] } {
  const named = samples.filter(({ fold }) => fold !== undefined).length
  if (count === undefined && named > 0) {
    if (named < samples.length)
      throw new JcsError(
        'INVALID_ARGUMENT',
        `only ${named} of ${samples.length} samples have a fold; complete the column, or give the number of folds`,
      )
    const names = [...new Set(samples.map(({ fold }) => fold!))].sort((a, b) =>
      a.localeCompare(b, 'en', { numeric: true }),
    )
    if (names.length < 2)
      throw new JcsError('INVALID_ARGUMENT', `all samples are of fold '${names[0]}'; two folds are the least`)
    return {
      folds: foldsFrom(
        samples,
        names,
        names.map((name) => samples.filter(({ fold }) => fold === name)),
      ),
      warnings: [],
    }
  }
  const { folds, warnings } = foldsByPatient(samples, count ?? defaultCount, seed)
  return {
    folds: foldsFrom(
      samples,
      folds.map((_, index) => String(index + 1)),
      folds,
    ),
    warnings,
  }
}

function foldsFrom(samples: readonly DatasetSample[], names: string[], parts: DatasetSample[][]): Fold[] {
  return parts.map((held, index) => {
    const isHeld = new Set(held)
    return { name: names[index]!, held, train: samples.filter((sample) => !isHeld.has(sample)) }
  })
}
