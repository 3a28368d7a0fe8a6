// Lungs without any network: what is air in HU, inside the body, and not airway. What `lungs` is compared with.

import { partsOf, reachesEdge } from './parts.mjs'

const airHu = -400
/** Airways are air alone, lungs are not. */
const airwayHu = -930
const smallestShare = 0.05 // of the largest part
const largestHoleMm2 = 500

/**
 * @param slices HU of each slice, head first
 * @returns a mask, 0 or 1, of each slice
 */
export const growLungs = (slices, width, height, pixelMm2) => {
  const size = [width, height, 1]
  const volume = new Uint8Array(slices.length * width * height)
  slices.forEach((hu, z) => {
    const air = Uint8Array.from(hu, (value) => Number(value < airHu))
    for (const part of partsOf(air, size)) {
      const isOutside = reachesEdge(part, width, height)
      const meanHu = part.reduce((sum, at) => sum + hu[at], 0) / part.length
      if (isOutside || meanHu < airwayHu) continue
      for (const at of part) volume[z * width * height + at] = 1
    }
  })
  const parts = partsOf(volume, [width, height, slices.length])
  const largest = Math.max(0, ...parts.map((part) => part.length))
  for (const part of parts) if (part.length < smallestShare * largest) for (const at of part) volume[at] = 0
  return slices.map((_, z) => {
    const mask = volume.slice(z * width * height, (z + 1) * width * height)
    const background = mask.map((value) => 1 - value)
    for (const part of partsOf(background, size))
      if (part.length * pixelMm2 <= largestHoleMm2 && !reachesEdge(part, width, height))
        for (const at of part) mask[at] = 1
    return mask
  })
}
