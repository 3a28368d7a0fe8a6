import { JcsError } from '../base/errors'
import type { Case } from '../cases'
import type { Run } from '../output/dicom/runs'
import type { Orientation, Vector } from '../volumes'

/** Where the pixels of a slice lie in the patient. */
export interface PlacedSlice {
  /** Centre of the first pixel, mm. */
  positionMm: Vector
  orientation: Orientation
  /** Between rows, between columns, mm. */
  spacing: readonly [number, number]
}

/** @throws JcsError INVALID_ARGUMENT for slices that do not tell it */
export async function placedSlices(scan: Case, what: string): Promise<PlacedSlice[]> {
  return (await scan.sources()).map(({ positionMm, orientation, spacing }) => {
    if (positionMm && orientation && spacing) return { positionMm, orientation, spacing }
    throw new JcsError(
      'INVALID_ARGUMENT',
      `the slices of the case ${what} do not tell where they lie in the patient, and cannot be compared`,
    )
  })
}

/** Of the centre of a pixel, mm. */
export function pointOf(
  { positionMm, orientation, spacing }: PlacedSlice,
  row: number,
  column: number,
): Vector {
  const [right, down] = [column * spacing[1], row * spacing[0]]
  const along = (axis: 0 | 1 | 2) =>
    positionMm[axis] + right * orientation[axis] + down * orientation[(axis + 3) as 3 | 4 | 5]
  return [along(0), along(1), along(2)]
}

/** A box along the patient's axes, mm. */
export interface Box {
  low: Vector
  high: Vector
}

/** Of every run so many pixels are looked at: of lungs there are millions. */
const pixelStep = 4

/** What of the outermost lung is taken for error, at each side of each axis. */
const outermost = 0.01

/** The box in which the lungs lie, but for their outermost hundredth along each axis, which one wrong pixel could move. */
export function lungBox(runs: readonly Run[], slices: readonly PlacedSlice[]): Box {
  const axes = [0, 1, 2] as const
  const counts = axes.map(() => new Map<number, number>())
  for (const { slice, row, begin, end } of runs)
    for (let column = begin; column < end; column += pixelStep) {
      const point = pointOf(slices[slice]!, row, column)
      for (const axis of axes) {
        const millimetre = Math.round(point[axis])
        counts[axis]!.set(millimetre, (counts[axis]!.get(millimetre) ?? 0) + 1)
      }
    }
  const ranges = counts.map(rangeOf)
  return {
    low: [ranges[0]![0], ranges[1]![0], ranges[2]![0]],
    high: [ranges[0]![1], ranges[1]![1], ranges[2]![1]],
  }
}

function rangeOf(counts: ReadonlyMap<number, number>): [number, number] {
  const sorted = [...counts].sort(([a], [b]) => a - b)
  const total = sorted.reduce((sum, [, count]) => sum + count, 0)
  const first = (from: readonly (readonly [number, number])[]) => {
    let seen = 0
    return from.find(([, count]) => {
      seen += count
      return seen > outermost * total
    })![0]
  }
  return [first(sorted), first(sorted.reverse())]
}

/** The point that lies in box `to` as `point` lies in `from`: what breathing and lying differently do to lungs, roughly. */
export function transfer(point: Vector, from: Box, to: Box): Vector {
  const along = (axis: 0 | 1 | 2) => {
    const extent = Math.max(from.high[axis] - from.low[axis], 1)
    return to.low[axis] + ((point[axis] - from.low[axis]) / extent) * (to.high[axis] - to.low[axis])
  }
  return [along(0), along(1), along(2)]
}
