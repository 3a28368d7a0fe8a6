import { loadSharp } from '../images/sharp'
import type { Diagnosis } from '../run/results'
import { dataUrl } from './data-url'
import { lesionColor } from './overlay'

/** Wider than any page shows it. */
const largestWidth = 640

/** A picture of what lies between front and back, as a radiograph shows a chest. */
export interface CoronalProjection {
  url: string
  width: number
  height: number
}

/**
 * Lungs in gray, brighter where more of them lie behind each other, and over them the share of lesion from front to
 * back. Columns are those of the slices, rows the slices themselves, head first, in true proportions.
 */
export async function coronalProjection({
  slices,
  series,
}: Diagnosis): Promise<CoronalProjection | undefined> {
  const spacingMm = series?.spacingMm
  const size = slices.find(({ segmentation }) => segmentation)?.segmentation
  if (!spacingMm || !size || slices.some(({ lungMask }) => !lungMask)) return undefined
  const { width, height } = size
  const pixels = new Uint8Array(4 * width * slices.length)
  const thickness = slices.map(({ lungMask, segmentation }) => {
    const lung = new Uint16Array(width)
    const lesion = new Uint16Array(width)
    for (let at = 0; at < width * height; at++) {
      if (!lungMask![at]) continue
      lung[at % width]!++
      if (segmentation?.mask[at]) lesion[at % width]!++
    }
    return { lung, lesion }
  })
  const most = thickness.reduce((largest, { lung }) => Math.max(largest, ...lung), 1)
  thickness.forEach(({ lung, lesion }, row) => {
    for (let x = 0; x < width; x++) {
      if (lung[x] === 0) continue
      const gray = 70 + (150 * lung[x]!) / most
      // A tenth of the way through the lung can be seen, a half is solid.
      const share = Math.min(1, (2 * lesion[x]!) / lung[x]!) ** 0.7
      const colour = lesionColor.map((part) => Math.round(gray + (part - gray) * share))
      pixels.set([...colour, 255], 4 * (row * width + x))
    }
  })
  const shownWidth = Math.min(largestWidth, width)
  const shownHeight = Math.max(
    1,
    Math.round((shownWidth * slices.length * spacingMm[2]) / (width * spacingMm[1])),
  )
  const picture = await loadSharp()(pixels, { raw: { width, height: slices.length, channels: 4 } })
    .resize(shownWidth, shownHeight, { fit: 'fill', kernel: 'cubic' })
    .webp({ quality: 90, alphaQuality: 90 })
    .toBuffer()
  return { url: dataUrl('webp', picture), width: shownWidth, height: shownHeight }
}
