import type { Budget } from './budget'
import type { LesionStatistics } from './lesion-statistics'
import type { ComparisonTable } from './tables'

/** What experiments came to. `results.json` in the directory is this. */
export interface Reproduction {
  tables: ComparisonTable[]
  /** Figure 11. */
  lesions?: LesionStatistics
  budget: Budget
  /** Slices of the data, each of which was held out once for every network and seed. */
  samples: number
  folds: number
  device: string
  precision: string
  /** Version of this library. */
  library: string
  /** What has to be known to read the results, as full sentences. */
  caveats: string[]
  /** What did not stop the run and should be seen, as full sentences. */
  warnings: string[]
  /** Paths of what was written. */
  files: { json: string; markdown: string; page: string }
}
