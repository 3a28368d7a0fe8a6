const names: Record<string, string> = {
  auc: 'AUC',
  bce: 'BCE',
  dice: 'Dice',
  dicePooled: 'Dice, pooled',
  ece: 'ECE',
  eMeasure: 'E-measure, adaptive',
  eMeasureMax: 'E-measure, max',
  eMeasureMean: 'E-measure, mean',
  emptyTruth: 'images without lesions',
  f1: 'F1',
  hd95Mm: 'HD95, mm',
  hd95Pixels: 'HD95, pixels',
  iou: 'IoU',
  iouAdaptive: 'IoU, adaptive',
  mIoU: 'mIoU',
  mae: 'MAE',
  nsd: 'NSD',
}

const counts = new Set(['images', 'emptyTruth'])

/** As people write it. A name that is not known loses its capitals: 'crossEntropy' reads 'cross entropy'. */
export function metricName(name: string): string {
  return (
    names[name] ?? name.replace(/([a-z])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`)
  )
}

/** Counts are whole, all others have three decimals. */
export function metricText(name: string, value: number): string {
  if (!Number.isFinite(value)) return 'undefined'
  return counts.has(name) ? String(value) : value.toFixed(3)
}
