import type { Orientation } from '../../volumes'

/** By axis, for either sign. */
const letters = [
  ['L', 'R'],
  ['P', 'A'],
  ['H', 'F'],
] as const

/** Below this cosine, a quarter of a degree, a direction is not said to turn. */
const negligible = 0.0045

/** Where rows and columns lead (PS3.3, C.7.6.1.1.1): letters of the patient's sides, the nearest first. */
export function patientOrientation([a, b, c, d, e, f]: Orientation): [string, string] {
  const nameOf = (direction: readonly number[]) =>
    direction
      .map((cosine, axis) => ({ size: Math.abs(cosine), letter: letters[axis]![cosine > 0 ? 0 : 1] }))
      .filter(({ size }) => size > negligible)
      .sort((x, y) => y.size - x.size)
      .map(({ letter }) => letter)
      .join('')
  return [nameOf([a, b, c]), nameOf([d, e, f])]
}
