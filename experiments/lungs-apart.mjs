// Pictures of one lung each, from slices whose lungs are known: in a slice with lesions, one lung often has none. Both
// labels then come from the same patients and pictures, and nothing but the lesions tells them apart.
import sharp from 'sharp'
import { patientOf, slicesOf } from '../models/recipes.mjs'

/** What a classifier of such pictures is trained with. */
export const lungClassifier = {
  task: 'classification',
  spec: { network: 'res2net50-v1b', width: 0.25, outputStride: 8 },
  recipe: 'scratch',
  inputSize: 128,
  batchSize: 16,
  epochs: 30,
  schedule: { name: 'cosine', learningRate: 2e-3, warmupIterations: 50 },
  mixup: { alpha: 0 },
  augmentation: {
    horizontalFlip: 0.5,
    verticalFlip: 0.5,
    scale: 0.2,
    rotationDegrees: 15,
    translation: 0.05,
    gamma: 0.2,
    noise: 0.1,
  },
}

/** About as many of either label: lungs without lesions are the fewer, and come three times. */
export function balanced(samples) {
  const without = samples.filter(({ label }) => label === 0)
  return [...samples, ...without, ...without]
}

/** Fewer lesion pixels than this may be the edge of a lesion in the next slice: such lungs are left out. */
const fewestLesionPixels = 30
const fewestLungPixels = 400
const margin = 8

const grayOf = (file) => sharp(file).greyscale().raw().toBuffer({ resolveWithObject: true })
const maskOf = async (file) => (await grayOf(file)).data.map((value) => (value === 0 ? 0 : 1))

/** Each lung of each slice of a volume, cut out with a margin as a square. */
export async function lungsOf(volume) {
  const lesions = slicesOf(volume, 'lesion')
  const lungs = slicesOf(volume, 'lung')
  const samples = []
  for (const [i, { image, mask }] of lesions.entries()) {
    const { data, info } = await grayOf(image)
    const slice = { data, width: info.width, lesion: await maskOf(mask), lung: await maskOf(lungs[i].mask) }
    for (const sample of cutLungs(slice)) {
      const lesionPixels = sample.mask.data.reduce((sum, value) => sum + value, 0)
      if (lesionPixels > 0 && lesionPixels < fewestLesionPixels) continue
      samples.push({ ...sample, label: lesionPixels > 0 ? 1 : 0, patient: patientOf(volume) })
    }
  }
  return samples
}

/** The lungs of a slice, one or two squares: its pixels, those of its lesions and of the lung. */
export const cutLungs = (slice) => sidesOf(slice).map((side) => cut(slice, side))

/** The boxes of what is lung on either side of the middle between the outermost lung pixels. */
function sidesOf({ width, lung }) {
  const everywhere = boxOf(lung, width, () => true)
  const middle = (everywhere.left + everywhere.right) / 2
  return [(x) => x < middle, (x) => x >= middle]
    .map((isOnSide) => ({ ...boxOf(lung, width, isOnSide), isOnSide }))
    .filter(({ pixels }) => pixels >= fewestLungPixels)
}

function boxOf(mask, width, isTaken) {
  const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity, pixels: 0 }
  mask.forEach((inside, at) => {
    const [x, y] = [at % width, Math.floor(at / width)]
    if (!inside || !isTaken(x)) return
    box.left = Math.min(box.left, x)
    box.right = Math.max(box.right, x)
    box.top = Math.min(box.top, y)
    box.bottom = Math.max(box.bottom, y)
    box.pixels++
  })
  return box
}

/** A square about the box; black, and no part of a mask, where it reaches over the slice or to the other lung. */
function cut({ data, width, lesion, lung }, { left, right, top, bottom, isOnSide }) {
  const height = data.length / width
  const side = Math.max(right - left, bottom - top) + 1 + 2 * margin
  const x0 = Math.round((left + right + 1 - side) / 2)
  const y0 = Math.round((top + bottom + 1 - side) / 2)
  const take = (pixels, isTaken) => {
    const taken = new Uint8Array(side * side)
    for (let y = Math.max(0, -y0); y < Math.min(side, height - y0); y++)
      for (let x = Math.max(0, -x0); x < Math.min(side, width - x0); x++)
        if (isTaken(x + x0)) taken[y * side + x] = pixels[(y + y0) * width + x + x0]
    return { data: taken, width: side, height: side, channels: 1 }
  }
  return { image: take(data, isOnSide), mask: take(lesion, isOnSide), lung: take(lung, isOnSide) }
}
