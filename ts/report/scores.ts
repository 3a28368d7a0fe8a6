import type { DiagnosedSlice, Diagnosis } from '../run/results'

/** By the classifier, or without one by lesion area: the score that made the slice positive or not. */
export function scoreOf({ classification, lesionAreaMm2, segmentation }: DiagnosedSlice): number {
  return classification?.probability ?? lesionAreaMm2 ?? segmentation?.areaPixels ?? 0
}

export function scoreText(slice: DiagnosedSlice): string {
  const { classification, lesionAreaMm2, segmentation } = slice
  if (classification) return percent(classification.probability)
  return lesionAreaMm2 === undefined ? `${segmentation?.areaPixels ?? 0} px` : mm2(lesionAreaMm2)
}

export function sortOf({ positive }: DiagnosedSlice): 'positive' | 'negative' {
  return positive ? 'positive' : 'negative'
}

export function isSegmented({ slices }: Diagnosis): boolean {
  return slices.some(({ segmentation }) => segmentation)
}

export function mm2(area: number): string {
  return `${Math.round(area)}\u00a0mm²`
}

/** What `scoreOf` is of. */
export function scoreName({ basis, slices }: Diagnosis): string {
  if (basis === 'classifier') return 'Probability of infection'
  return slices.every(({ lesionAreaMm2 }) => lesionAreaMm2 !== undefined)
    ? 'Lesion area in mm²'
    : 'Lesion area in pixels'
}

function percent(probability: number): string {
  return `${(100 * probability).toFixed(probability > 0.0995 && probability < 0.9995 ? 0 : 1)} %`
}
