import { clamp } from './geometry'
import type { Acquisition } from './patient'
import type { Random } from './random'

/** What the scanner makes of a slice in HU: blur, motion, noise. */
export function acquire(
  hu: Float32Array,
  size: number,
  pixelMm: number,
  scan: Acquisition,
  random: Random,
): Float64Array {
  let image: Float32Array<ArrayBufferLike> = hu
  if (scan.motion > 0) image = motionBlur(image, size, scan.motion / pixelMm, scan.motionAngle)
  image = gaussianBlur(image, size, scan.blur / pixelMm)
  // Reconstruction correlates the noise of neighbouring pixels.
  const white = Float32Array.from({ length: size * size }, () => random.normal())
  const sigma = 0.55
  const noise = gaussianBlur(white, size, sigma)
  const gain = scan.noiseHu / standardDeviationAfterBlur(sigma)
  return Float64Array.from(image, (value, i) => value + gain * noise[i]!)
}

/** HU as a display shows them through the window of whoever made the pictures: 8-bit gray. */
export function display(hu: Float64Array, scan: Acquisition): Uint8Array {
  const { level, width } = scan.window
  const low = level - width / 2
  return Uint8Array.from(hu, (value) => clamp(Math.round(((value - low) / width) * 255), 0, 255))
}

function gaussianKernel(sigma: number): Float32Array {
  const reach = Math.max(1, Math.ceil(3 * sigma))
  const kernel = Float32Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * sigma * sigma)),
  )
  const sum = kernel.reduce((a, b) => a + b, 0)
  return kernel.map((weight) => weight / sum)
}

/** White noise of deviation 1 keeps this deviation after a separable blur. */
function standardDeviationAfterBlur(sigma: number): number {
  return gaussianKernel(sigma).reduce((sum, weight) => sum + weight * weight, 0)
}

function gaussianBlur(image: Float32Array, size: number, sigma: number): Float32Array {
  if (sigma < 0.2) return image
  const kernel = gaussianKernel(sigma)
  return convolveLines(convolveLines(image, size, kernel, 1, size), size, kernel, size, 1)
}

/** Convolves every line of pixels `step` apart, of which there are `size`, `lineStep` apart; borders repeat. */
function convolveLines(
  image: Float32Array,
  size: number,
  kernel: Float32Array,
  step: number,
  lineStep: number,
): Float32Array {
  const reach = (kernel.length - 1) / 2
  const out = new Float32Array(image.length)
  for (let line = 0; line < size; line++) {
    for (let i = 0; i < size; i++) {
      let sum = 0
      for (let k = -reach; k <= reach; k++) {
        sum += kernel[k + reach]! * image[line * lineStep + clamp(i + k, 0, size - 1) * step]!
      }
      out[line * lineStep + i * step] = sum
    }
  }
  return out
}

/** Averages along a line of `length` pixels. */
function motionBlur(image: Float32Array, size: number, length: number, angle: number): Float32Array {
  const samples = Math.max(2, Math.ceil(2 * length))
  const out = new Float32Array(image.length)
  for (let s = 0; s < samples; s++) {
    const shift = length * (s / (samples - 1) - 0.5)
    const [dx, dy] = [shift * Math.cos(angle), shift * Math.sin(angle)]
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++)
        out[y * size + x] = out[y * size + x]! + bilinear(image, size, x + dx, y + dy) / samples
    }
  }
  return out
}

function bilinear(image: Float32Array, size: number, x: number, y: number): number {
  const cx = clamp(x, 0, size - 1.001)
  const cy = clamp(y, 0, size - 1.001)
  const [ix, iy] = [Math.floor(cx), Math.floor(cy)]
  const [u, v] = [cx - ix, cy - iy]
  const i = iy * size + ix
  return (
    (image[i]! * (1 - u) + image[i + 1]! * u) * (1 - v) +
    (image[i + size]! * (1 - u) + image[i + size + 1]! * u) * v
  )
}
