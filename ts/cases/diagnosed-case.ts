import type { Diagnosis } from '../run/results'
import type { Case } from './case'

/** A diagnosis and the case that it is of. */
export interface DiagnosedCase {
  diagnosis: Diagnosis
  scan: Case
}
