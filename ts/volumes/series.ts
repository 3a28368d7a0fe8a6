/** What was left out of a case, and why: a full sentence. */
export interface Excluded {
  what: string
  reason: string
}

/** The series of a scanner, or the volume of a file, that a case is made of. */
export interface Series {
  /** As it stands in the files; empty where they have none, as NIfTI has not. */
  uid: string
  /** Such as CT; 'unknown' for NIfTI, which does not say. */
  modality: string
  seriesNumber?: number
  /** The convolution kernel, such as 'B30f'. */
  kernel?: string
  /** Slices that a case of it has. */
  slices: number
  rows: number
  columns: number
  /** From row to row, from column to column, from slice to slice; absent where the files do not say. */
  spacingMm?: [number, number, number]
  /** Whether slices are closer to axial than to any other plane. */
  isAxial: boolean
  /** What of the files given is not among the slices. */
  excluded: Excluded[]
}

/** Several things in a line; `labels` has one at least. */
export function summarise(labels: readonly string[], noun: string): string {
  const [first] = labels
  return labels.length === 1 ? `'${first}'` : `${labels.length} ${noun}, '${first}' and others`
}
