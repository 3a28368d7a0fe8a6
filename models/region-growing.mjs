// Lungs without any network: what is air in HU, inside the body, and not airway. What `lungs` is compared with.

const airHu = -400
/** Airways are air alone, lungs are not. */
const airwayHu = -930
const smallestShare = 0.05 // of the largest part
const largestHoleMm2 = 500

const neighbours = ([width, height, depth], at, visit) => {
  const x = at % width
  const y = Math.floor(at / width) % height
  const z = Math.floor(at / (width * height))
  if (x > 0) visit(at - 1)
  if (x < width - 1) visit(at + 1)
  if (y > 0) visit(at - width)
  if (y < height - 1) visit(at + width)
  if (z > 0) visit(at - width * height)
  if (z < depth - 1) visit(at + width * height)
}

/** The face-connected parts of a mask of depth × height × width, each as the list of its voxels. */
const partsOf = (mask, size) => {
  const seen = new Uint8Array(mask.length)
  const parts = []
  for (let start = 0; start < mask.length; start++) {
    if (!mask[start] || seen[start]) continue
    const part = [start]
    seen[start] = 1
    for (let i = 0; i < part.length; i++)
      neighbours(size, part[i], (next) => {
        if (!mask[next] || seen[next]) return
        seen[next] = 1
        part.push(next)
      })
    parts.push(part)
  }
  return parts
}

/**
 * @param slices HU of each slice, head first
 * @returns a mask, 0 or 1, of each slice
 */
export const growLungs = (slices, width, height, pixelMm2) => {
  const size = [width, height, 1]
  const touchesEdge = (at) => {
    const x = at % width
    const y = Math.floor(at / width)
    return x === 0 || y === 0 || x === width - 1 || y === height - 1
  }
  const volume = new Uint8Array(slices.length * width * height)
  slices.forEach((hu, z) => {
    const air = Uint8Array.from(hu, (value) => Number(value < airHu))
    for (const part of partsOf(air, size)) {
      const isOutside = part.some(touchesEdge)
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
      if (part.length * pixelMm2 <= largestHoleMm2 && !part.some(touchesEdge))
        for (const at of part) mask[at] = 1
    return mask
  })
}
