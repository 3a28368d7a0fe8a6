import type { Orientation } from '../volumes'
import type { NiftiHeader } from './header'

type Triple = [number, number, number]
type Axis = 0 | 1 | 2

/**
 * How the voxels of a volume become axial slices as radiologists look at them: columns from the patient's right to left,
 * rows from front to back, slices from the head down. The axes of a file may run any other way.
 */
export interface Layout {
  width: number
  height: number
  slices: number
  /** Index in the file of the first voxel of the first slice. */
  first: number
  /** Voxels of the file from column to column, from row to row, from slice to slice; negative where axes run backwards. */
  strides: Triple
  /** From row to row, from column to column, from slice to slice, mm. */
  spacingMm: Triple
  /** Absent where the file does not say how it lies in the patient; slices are then in the file's order. */
  place?: {
    /** Centre of the first voxel of the first slice, and the way from a slice to the next, mm. */
    first: Triple
    step: Triple
    /** Unit vectors along a row and down a column. */
    orientation: Orientation
    /** The largest angle between an axis of the file and the patient's axis that it stands for, degrees. */
    obliqueDegrees: number
  }
}

/** Which of the file's axes becomes which of the layout's. */
const permutations: readonly Triple[] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
]

export function layOut({ size, affine, spacing }: NiftiHeader): Layout {
  const fileStrides: Triple = [1, size[0], size[0] * size[1]]
  if (!affine) {
    const [column, row, slice] = spacing
    return {
      width: size[0],
      height: size[1],
      slices: size[2],
      first: 0,
      strides: fileStrides,
      spacingMm: [row, column, slice],
    }
  }
  const vectors = [0, 1, 2].map((axis) => affine.map((row) => row[axis]!) as Triple) as [
    Triple,
    Triple,
    Triple,
  ]
  const lengths = vectors.map((vector) => Math.hypot(...vector)) as Triple
  const cosine = (axis: number, patient: number) => vectors[axis]![patient]! / lengths[axis]!
  const fit = (axes: Triple) => axes.reduce((sum, axis, patient) => sum + Math.abs(cosine(axis, patient)), 0)
  const axes = permutations.reduce((best, candidate) => (fit(candidate) > fit(best) ? candidate : best))

  // The patient's x and y grow along rows and columns; z falls from slice to slice.
  const signs = axes.map((axis, patient) =>
    cosine(axis, patient) < 0 !== (patient === 2) ? -1 : 1,
  ) as Triple
  const start: Triple = [0, 0, 0]
  axes.forEach((axis, index) => {
    if (signs[index]! < 0) start[axis] = size[axis]! - 1
  })
  const strides = axes.map((axis, index) => signs[index]! * fileStrides[axis]!) as Triple
  const along = (index: number, length: number) =>
    vectors[axes[index]!]!.map((value) => (signs[index]! * value) / length) as Triple
  const [columns, rows, slices] = axes as [Axis, Axis, Axis]
  const orientation = [...along(0, lengths[columns]), ...along(1, lengths[rows])]
  const worst = Math.min(...axes.map((axis, patient) => Math.abs(cosine(axis, patient))))
  return {
    width: size[columns],
    height: size[rows],
    slices: size[slices],
    first: start.reduce((sum, voxel, axis) => sum + voxel * fileStrides[axis]!, 0),
    strides,
    spacingMm: [lengths[rows], lengths[columns], lengths[slices]],
    place: {
      first: affine.map(
        (row) => row[0]! * start[0] + row[1]! * start[1] + row[2]! * start[2] + row[3]!,
      ) as Triple,
      step: along(2, 1),
      orientation: orientation as unknown as Orientation,
      obliqueDegrees: (Math.acos(Math.min(worst, 1)) * 180) / Math.PI,
    },
  }
}
