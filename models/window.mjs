// node models/window.mjs
//
// The window of the shipped models, from their training data alone. The published pictures are 8-bit, from a window that
// nobody wrote down; air outside the body is -1000 HU, fat -100, muscle 50. Prints their gray values in each volume, and
// the window of the line through their medians over the volumes.
import sharp from 'sharp'
import { partsOf, reachesEdge } from './parts.mjs'
import { folds, slicesOf } from './recipes.mjs'

const grayOf = async (file) => {
  const { data, info } = await sharp(file).greyscale().blur(1.5).raw().toBuffer({ resolveWithObject: true })
  return { data, ...info }
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

/** Pixels that reach the border without entering tissue: outside the body, the table included. */
const outsideOf = ({ data, width, height }, level) => {
  const outside = new Uint8Array(width * height)
  for (const part of partsOf(
    data.map((value) => Number(value < level)),
    [width, height, 1],
  ))
    if (reachesEdge(part, width, height)) for (const at of part) outside[at] = 1
  return outside
}

const tissueLevel = 90

/** Local maxima of a smoothed histogram: soft tissue has two, fat and muscle, where a volume's noise lets them apart. */
const peaksOf = (histogram) => {
  let smooth = histogram
  for (let pass = 0; pass < 8; pass++)
    smooth = smooth.map((value, i) => ((smooth[i - 1] ?? value) + 2 * value + (smooth[i + 1] ?? value)) / 4)
  const isPeak = (i) => smooth.slice(Math.max(0, i - 8), i + 9).every((value) => value <= smooth[i])
  return [...smooth.keys()].filter((i) => i > tissueLevel + 5 && i < 235 && isPeak(i))
}

const rows = []
for (const volume of folds.flat()) {
  const air = []
  const histogram = Array(256).fill(0)
  for (const { image, mask } of slicesOf(volume, 'lung').filter((_, i) => i % 4 === 0)) {
    const slice = await grayOf(image)
    const lung = await sharp(mask).greyscale().raw().toBuffer()
    const outside = outsideOf(slice, tissueLevel)
    slice.data.forEach((value, at) => {
      if (outside[at]) air.push(value)
      else if (!lung[at] && value > tissueLevel) histogram[value]++
    })
  }
  const [fat, muscle] = peaksOf(histogram)
  rows.push({ volume, air: median(air), fat, muscle })
}
console.table(rows)

const known = (name) => median(rows.flatMap((row) => row[name] ?? []))
const points = [
  [-1000, known('air')],
  [-100, known('fat')],
  [50, known('muscle')],
]
const mean = (index) => points.reduce((sum, point) => sum + point[index], 0) / points.length
const [meanHu, meanGray] = [mean(0), mean(1)]
const slope =
  points.reduce((sum, [hu, gray]) => sum + (hu - meanHu) * (gray - meanGray), 0) /
  points.reduce((sum, [hu]) => sum + (hu - meanHu) ** 2, 0)
console.log({
  points,
  center: Math.round(meanHu + (127.5 - meanGray) / slope),
  width: Math.round(255 / slope),
})
