import { normalOf, type Orientation, samePositionMm, type Vector } from './geometry'

/** Three rows of four: of a voxel's i, j, k and 1 they make its x, y and z in the patient's coordinates, mm. */
export type Affine = [number[], number[], number[]]

/** The voxels of a volume, as a file has them or would, and which of them the slices of a case are. */
export interface VoxelGrid {
  /** Voxels along i, j and k; i runs fastest. */
  size: [number, number, number]
  /** To the patient's coordinates as DICOM has them; absent where nothing says how the volume lies in the patient. */
  affine?: Affine
  /** Distances of voxels along i, j and k, mm. */
  spacingMm: [number, number, number]
  /** As the case has them. */
  slices: { width: number; height: number; count: number }
  /** Index of the first pixel of the first slice. */
  first: number
  /** Voxels from column to column, from row to row, from slice to slice. */
  strides: [number, number, number]
}

/** A slice in the patient, as far as it says where it lies. */
export interface SlicePlace {
  width: number
  height: number
  /** Between rows, between columns, mm. */
  spacing?: readonly [number, number] | undefined
  positionMm?: Vector | undefined
  orientation?: Orientation | undefined
}

/** Files may round positions to tenths of a millimetre. */
const roundingMm = 0.06

/**
 * The grid of slices that lie evenly in a straight line: columns, rows, slices in their order. Without places where one
 * of them does not tell its own. Undefined where they differ in size, direction or spacing, or lie otherwise.
 */
export function gridOfSlices(places: readonly SlicePlace[]): VoxelGrid | undefined {
  const [first, ...others] = places
  if (!first || !others.every((place) => isAlike(place, first))) return undefined
  const { width, height, spacing, orientation } = first
  const [rowMm, columnMm] = spacing ?? [1, 1]
  const count = places.length
  const grid: VoxelGrid = {
    size: [width, height, count],
    spacingMm: [columnMm, rowMm, 1],
    slices: { width, height, count },
    first: 0,
    strides: [1, width, width * height],
  }
  const positions = places.flatMap(({ positionMm }) => (positionMm ? [positionMm] : []))
  if (positions.length < count || !orientation || !spacing) return grid
  const [start, end] = [positions[0]!, positions.at(-1)!]
  // A lone slice is a millimetre thick.
  const step = normalOf(orientation).map((value, axis) =>
    count > 1 ? (end[axis]! - start[axis]!) / (count - 1) : -value,
  )
  const stepMm = Math.hypot(...step)
  const toleranceMm = Math.max(0.02 * stepMm, roundingMm)
  const isAtItsPlace = (position: Vector, index: number) =>
    Math.hypot(...position.map((value, axis) => value - start[axis]! - index * step[axis]!)) <= toleranceMm
  if (stepMm < samePositionMm || !positions.every(isAtItsPlace)) return undefined
  const affine = [0, 1, 2].map((axis) => [
    orientation[axis]! * columnMm,
    orientation[3 + axis]! * rowMm,
    step[axis]!,
    start[axis]!,
  ]) as Affine
  return { ...grid, affine, spacingMm: [columnMm, rowMm, stepMm] }
}

function isAlike(a: SlicePlace, b: SlicePlace): boolean {
  const agree = (of: readonly number[] = [], other: readonly number[] = []) =>
    of.length === other.length && of.every((value, i) => Math.abs(value - other[i]!) < 1e-3)
  return (
    a.width === b.width &&
    a.height === b.height &&
    agree(a.spacing, b.spacing) &&
    agree(a.orientation, b.orientation)
  )
}
