import type { ActivationMaps } from './activation-maps'
import type { Budget } from './budget'
import type { CaseThresholds } from './case-thresholds'
import type { Examples } from './examples'
import type { LesionStatistics } from './lesion-statistics'
import type { ComparisonTable } from './tables'
import type { Times } from './times'

/** What experiments came to, those that were asked for. `results.json` in the directory is this. */
export interface Reproduction {
  /** Table II. */
  times?: Times
  /** Table IV. */
  caseThresholds?: CaseThresholds
  /** Tables V to VII. */
  tables: ComparisonTable[]
  /** Figure 9. */
  activationMaps?: ActivationMaps
  /** Figure 10. */
  examples?: Examples
  /** Figure 11. */
  lesions?: LesionStatistics
  budget: Budget
  /** Slices of the data, each of which was held out once for every network and seed; 0 where none were needed. */
  samples: number
  folds: number
  /** What segmenters were trained on, and how exactly. */
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
