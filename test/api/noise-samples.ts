import type { Sample } from 'jcs-ct'
import { normals } from './numpy-random'

/**
 * Slices of seeded noise, the same in every process; every second one is infected and has a mask, of another area each.
 * With `maskAll` the others have an empty one.
 */
export const noiseSamples = (count: number, size: number, { maskAll = false } = {}): Sample[] =>
  Array.from({ length: count }, (_, i) => {
    const data = Uint8Array.from(normals(i + 1, size * size), (v) => 128 + 40 * Math.max(-3, Math.min(3, v)))
    const infected = i % 2 === 1
    const mask = new Uint8Array(size * size)
    if (infected) mask.fill(1, 300, 500 + 20 * i)
    return {
      image: { data, width: size, height: size },
      label: infected ? 1 : 0,
      ...((infected || maskAll) && { mask: { data: mask, width: size, height: size } }),
    }
  })
