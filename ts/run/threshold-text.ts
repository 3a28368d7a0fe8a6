import type { Diagnosis } from './results'

/** In slices and, where it was given so, in millimetres. */
export function thresholdText({
  sliceThreshold,
  sliceThresholdMm,
}: Pick<Diagnosis, 'sliceThreshold' | 'sliceThresholdMm'>): string {
  return sliceThresholdMm === undefined ? `${sliceThreshold}` : `${sliceThreshold} (${sliceThresholdMm} mm)`
}
