import { normalOf, type Orientation, type Vector } from './geometry'

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
  spacing?: readonly [number, number]
  positionMm?: Vector
  orientation?: Orientation
}

/** The grid of slices that lie evenly one under the other: columns, rows, slices in their order. */
export function gridOfSlices(first: SlicePlace, last: SlicePlace, count: number): VoxelGrid {
  const { width, height, spacing, positionMm, orientation } = first
  const [rowMm, columnMm] = spacing ?? [1, 1]
  const grid: VoxelGrid = {
    size: [width, height, count],
    spacingMm: [columnMm, rowMm, 1],
    slices: { width, height, count },
    first: 0,
    strides: [1, width, width * height],
  }
  const end = last.positionMm
  if (!positionMm || !orientation || !end || !spacing) return grid
  // A lone slice is a millimetre thick.
  const step = normalOf(orientation).map((value, axis) =>
    count > 1 ? (end[axis]! - positionMm[axis]!) / (count - 1) : -value,
  )
  const affine = [0, 1, 2].map((axis) => [
    orientation[axis]! * columnMm,
    orientation[3 + axis]! * rowMm,
    step[axis]!,
    positionMm[axis]!,
  ]) as Affine
  return { ...grid, affine, spacingMm: [columnMm, rowMm, Math.hypot(...step)] }
}
