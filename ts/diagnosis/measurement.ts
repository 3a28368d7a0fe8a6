import type { Case } from '../cases'
import { nativeMaskOf } from '../inference/segmentation'
import type { NativeMeasurement } from '../native'
import { withNativeCalls } from '../native'
import type { Segmentation } from '../run/results'
import type { RunContext } from '../run/run'

/** Lesions against lungs, or a full sentence that says why there are no volumes. */
export async function measure(
  scan: Case,
  lungs: readonly Segmentation[],
  lesions: readonly Segmentation[],
  { signal }: RunContext,
): Promise<NativeMeasurement | { reason: string }> {
  const indices = lesions.map((_, index) => index)
  return withNativeCalls(signal, (start) =>
    start((cancellation, native) =>
      native.measureCase(
        scan.store.native,
        indices,
        lungs.map(nativeMaskOf),
        lesions.map(nativeMaskOf),
        cancellation,
      ),
    ),
  )
}

/** A chest fills about this much of its image's width where nothing tells the spacing of pixels. */
const assumedWidthMm = 350

/** Of the lesions of slices that were not measured against lungs, mm²; `isKnown`: whether the spacing of all is. */
export function lesionAreas(segmentations: readonly Segmentation[]): {
  areasMm2: number[]
  isKnown: boolean
} {
  const areasMm2 = segmentations.map(
    ({ areaMm2, areaPixels, width }) => areaMm2 ?? areaPixels * (assumedWidthMm / width) ** 2,
  )
  return { areasMm2, isKnown: segmentations.every(({ areaMm2 }) => areaMm2 !== undefined) }
}

export const assumedSpacingWarning = `The slices do not tell their pixel spacing: lesion areas are judged as if an image were ${assumedWidthMm} mm wide.`
