/** Percent, as the paper prints them (tables V to VII). */
export interface PublishedScores {
  dice: number
  iou: number
  eMeasure: number
}

/**
 * What every network scored on the 1061 test slices of COVID-CS, trained on 2794: data that was never published, so that
 * a network's own score on other data is not to be expected to equal it. Differences between networks may.
 */
export const publishedScores = {
  base: { dice: 71, iou: 57.7, eMeasure: 88 },
  efm: { dice: 74.3, iou: 61.4, eMeasure: 88.9 },
  aff: { dice: 75.9, iou: 63.4, eMeasure: 90.9 },
  segmentation: { dice: 77.5, iou: 65.4, eMeasure: 92 },
  joint: { dice: 78.5, iou: 66.4, eMeasure: 92.7 },
  unet: { dice: 65.1, iou: 54.1, eMeasure: 79.7 },
  dss: { dice: 65.7, iou: 51.7, eMeasure: 79.9 },
  egnet: { dice: 69.3, iou: 55.4, eMeasure: 83.6 },
  poolnet: { dice: 69.7, iou: 55.9, eMeasure: 83.9 },
} as const satisfies Record<string, PublishedScores>

/** Section V-C: the share of test slices whose Dice is in [0.6, 1], in [0.1, 0.6) and below. */
export const publishedShares = { good: 0.959, bad: 0.033, failed: 0.008 }

/** Table IV: shares of the cases of the paper's test set, by slice threshold. */
export const publishedCases = [
  { sliceThreshold: 15, sensitivity: 0.96, specificity: 0.915 },
  { sliceThreshold: 20, sensitivity: 0.95, specificity: 0.92 },
  { sliceThreshold: 25, sensitivity: 0.95, specificity: 0.93 },
  { sliceThreshold: 30, sensitivity: 0.945, specificity: 0.935 },
] as const

/** Table II and section V-C, for a case of 300 slices: JCS on an RTX 2080 Ti. */
export const publishedTimes = {
  classifyMs: 1000,
  segmentMs: 21_000,
  rtPcrMs: 4 * 3_600_000,
  radiologistMs: 21.5 * 60_000,
  radiologistWithJcsMs: 54_400,
} as const
