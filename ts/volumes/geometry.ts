export type Vector = readonly [number, number, number]

/** Unit vectors along a row and down a column. */
export type Orientation = readonly [number, number, number, number, number, number]

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/** Across the slice, to the head: its z is never negative, whichever way rows and columns run. */
export function normalOf([a, b, c, d, e, f]: Orientation): Vector {
  const normal: Vector = [b * f - c * e, c * d - a * f, a * e - b * d]
  return normal[2] < 0 ? [-normal[0], -normal[1], -normal[2]] : normal
}

/** How far towards the head a slice lies, mm: of use as a difference. */
export function heightAlongNormal(positionMm: Vector, orientation: Orientation): number {
  return dot(positionMm, normalOf(orientation))
}

/** Closer to axial than to any other plane. */
export function isAxial(orientation: Orientation): boolean {
  return normalOf(orientation)[2] > Math.SQRT1_2
}

/** Positions nearer to each other than this are one, mm. */
export const samePositionMm = 0.01

/** How far slices stand apart along their normal, head first: one step fewer than slices, mm. */
export interface Spacing {
  steps: number[]
  /** The usual step, the median. */
  usual: number
  /** Index of the step's first slice, for steps over which slices are missing. */
  gaps: number[]
  /** Whether the other steps differ by more than rounding explains. */
  isUneven: boolean
}

/** `heights`: of at least two slices along their normal, falling, no two the same. */
export function spacingOf(heights: readonly number[]): Spacing {
  const steps = heights.slice(1).map((height, index) => heights[index]! - height)
  const sorted = [...steps].sort((a, b) => a - b)
  const usual = sorted[Math.floor((sorted.length - 1) / 2)]!
  const isGap = (step: number) => step > 1.5 * usual
  const regular = steps.filter((step) => !isGap(step))
  const tolerance = Math.max(0.02 * usual, 2 * samePositionMm)
  return {
    steps,
    usual,
    gaps: steps.flatMap((step, index) => (isGap(step) ? [index] : [])),
    isUneven: Math.max(...regular) - Math.min(...regular) > tolerance,
  }
}

/** The angle between the slices' normal and the line along which they are stacked, degrees: the gantry's tilt. */
export function tiltDegrees(normal: Vector, first: Vector, last: Vector): number {
  const line: Vector = [first[0] - last[0], first[1] - last[1], first[2] - last[2]]
  const length = Math.sqrt(dot(line, line))
  return (Math.acos(Math.min(Math.abs(dot(line, normal)) / length, 1)) * 180) / Math.PI
}
