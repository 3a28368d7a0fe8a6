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

/** The face-connected parts of a mask of [width, height, depth], each as the list of its voxels. */
export const partsOf = (mask, size) => {
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

/** Whether a part of a slice reaches the image's edge. */
export const reachesEdge = (part, width, height) =>
  part.some((at) => {
    const x = at % width
    const y = Math.floor(at / width)
    return x === 0 || y === 0 || x === width - 1 || y === height - 1
  })
