import type { Run } from '../output/dicom/runs'
import type { Vector } from '../volumes'
import { type PlacedSlice, pointOf } from './patient-space'

/**
 * Lesions of both times are compared in cubes of this side, mm, and count as touching when their cubes are neighbours:
 * boxes of lungs match no better than that.
 */
const cubeMm = 5

/** As much of the smaller lesion has to touch the other for both to be one. */
const leastShare = 0.25

/** Cubes that a lesion lies in; `place`: where a point of it is looked for. */
export function cubesOf(
  runs: readonly Run[],
  slices: readonly PlacedSlice[],
  place: (point: Vector) => Vector = (point) => point,
): Set<number> {
  const cubes = new Set<number>()
  for (const { slice, row, begin, end } of runs)
    for (let column = begin; column < end; column++) {
      const [x, y, z] = place(pointOf(slices[slice]!, row, column))
      cubes.add(cubeAt(Math.floor(x / cubeMm), Math.floor(y / cubeMm), Math.floor(z / cubeMm)))
    }
  return cubes
}

/** Cubes along an axis: ten metres. */
const axisCubes = 2048
const offset = axisCubes / 2

function cubeAt(x: number, y: number, z: number): number {
  return ((x + offset) * axisCubes + (y + offset)) * axisCubes + (z + offset)
}

/** A cube, and the 26 around it. */
function* around(cube: number): Generator<number> {
  for (let dx = -1; dx <= 1; dx++)
    for (let dy = -1; dy <= 1; dy++)
      for (let dz = -1; dz <= 1; dz++) yield cube + (dx * axisCubes + dy) * axisCubes + dz
}

/** Lesions that are one and the same, of both times; one may have split, or several have grown together. */
export interface Group {
  before: number[]
  after: number[]
}

/** Every lesion is in one group. `before` and `after`: the cubes of each lesion, in the same space. */
export function matchLesions(before: readonly Set<number>[], after: readonly Set<number>[]): Group[] {
  const partners = before.map((cubes) =>
    after.flatMap((other, index) => (isSame(cubes, other) ? [index] : [])),
  )
  const groups: Group[] = []
  const leftBefore = new Set(before.keys())
  const leftAfter = new Set(after.keys())
  for (const start of before.keys()) {
    if (!leftBefore.delete(start)) continue
    const group: Group = { before: [start], after: [] }
    for (const one of group.before)
      for (const other of partners[one]!) {
        if (!leftAfter.delete(other)) continue
        group.after.push(other)
        for (const third of leftBefore)
          if (partners[third]!.includes(other)) {
            leftBefore.delete(third)
            group.before.push(third)
          }
      }
    groups.push(group)
  }
  return [...groups, ...[...leftAfter].map((one) => ({ before: [], after: [one] }))]
}

function isSame(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a]
  let touching = 0
  for (const cube of small) {
    for (const neighbour of around(cube))
      if (large.has(neighbour)) {
        touching++
        break
      }
  }
  return touching >= leastShare * small.size
}
