import { JcsError } from '../base/errors'
import type { Case } from '../cases'
import { callNativeNow } from '../native'
import type { DiagnosisSettings } from './options'

/** In slices, and in what it was given. */
export interface SliceThreshold {
  slices: number
  millimetres?: number
}

/** `scan`: with its first slice decoded. @throws JcsError INVALID_ARGUMENT for millimetres of slices without a distance */
export function resolveSliceThreshold(
  given: DiagnosisSettings['sliceThreshold'],
  scan: Case,
): SliceThreshold {
  if (typeof given === 'number') return { slices: given }
  const distanceMm = scan.series?.spacingMm?.[2]
  if (distanceMm === undefined)
    throw new JcsError(
      'INVALID_ARGUMENT',
      'sliceThreshold is in millimetres, and the slices do not tell how far apart they are; give a number of slices',
    )
  return { slices: Math.floor(given.millimetres / distanceMm), millimetres: given.millimetres }
}

export interface Decision {
  positive: boolean
  positiveSlices: number
  /** By slice. */
  isPositive: boolean[]
  warnings: string[]
}

/** The paper's rule: slices whose score is above `scoreThreshold` are positive, and the case by how many there are. */
export function decide(
  scores: readonly number[],
  scoreThreshold: number,
  { slices, millimetres }: SliceThreshold,
): Decision {
  return callNativeNow((native) =>
    native.decideCase(Float32Array.from(scores), scoreThreshold, slices, millimetres !== undefined),
  )
}
