import type { Diagnosis } from '../../run/results'
import { findMasks } from '../masks'

/** A slice with lesions, and what is outlined in it: bytes of pixels, 1 = inside. */
export interface KeySlice {
  index: number
  lesions: Uint8Array
  lungs: Uint8Array | undefined
}

/** The slices with most lesion, inside the lungs where those are known, in the order of the case; none without a lesion. */
export function keySlicesOf(diagnosis: Diagnosis, count: number): KeySlice[] {
  const lungs = findMasks(diagnosis, 'lungs')
  const slices = (findMasks(diagnosis, 'lesions') ?? []).map((lesions, index) => ({
    index,
    lesions,
    lungs: lungs?.[index],
  }))
  const areas = slices.map(({ lesions, lungs }) =>
    lesions.reduce((sum, value, pixel) => sum + (lungs ? value & lungs[pixel]! : value), 0),
  )
  return slices
    .filter(({ index }) => areas[index]! > 0)
    .sort((a, b) => areas[b.index]! - areas[a.index]! || a.index - b.index)
    .slice(0, count)
    .sort((a, b) => a.index - b.index)
}
