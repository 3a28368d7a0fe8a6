import type sharp from 'sharp'
import { JcsError } from '../base/errors'
import { applyWindow, type DecodedImage, namedWindows } from '../images'
import { loadSharp } from '../images/sharp'
import type { ActivationMap } from '../run/results'
import { heatColor, type Rgb } from './colormap'

/** Orange of the Okabe-Ito palette: told apart from gray and from the blue of the page by colour-blind readers too. */
export const lesionColor: Rgb = [255, 140, 26]

/** Sky blue of the same. */
export const lungColor: Rgb = [86, 180, 233]

const fillAlpha = 70
const outlineAlpha = 255

/** Smaller slices are enlarged by a whole factor. */
const smallestSide = 512

/** Four bytes a pixel, row by row: red, green, blue, alpha. */
interface Layer {
  data: Uint8Array
  width: number
  height: number
}

export interface Mask {
  data: Uint8Array
  width: number
  height: number
}

/** The slice as 8-bit gray or RGB. */
export function slicePicture(slice: DecodedImage): sharp.Sharp {
  const { width, height, channels } = slice
  return loadSharp()(bytesOf(slice), { raw: { width, height, channels } })
}

function bytesOf({ data, window = namedWindows.lung }: DecodedImage): Uint8Array {
  if (data instanceof Uint8Array) return data
  if (data instanceof Uint16Array) return Uint8Array.from(data, (value) => Math.round(value / 257))
  const values = data instanceof Int16Array ? applyWindow(data, window) : data
  return Uint8Array.from(values, (value) => Math.round(255 * value))
}

/** Transparent where there is no lesion; a light fill and a solid outline, one pixel wide, where there is one. */
export function lesionLayer(mask: Mask): Layer {
  return maskLayer(mask, lesionColor, fillAlpha)
}

/** The outline of the lungs alone, one pixel wide. */
export function outlineLayer(mask: Mask): Layer {
  return maskLayer(mask, lungColor, 0)
}

function maskLayer({ data, width, height }: Mask, color: Rgb, innerAlpha: number): Layer {
  const layer = new Uint8Array(4 * width * height)
  const inside = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < width && y < height && data[y * width + x] !== 0
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!inside(x, y)) continue
      const isInner = inside(x - 1, y) && inside(x + 1, y) && inside(x, y - 1) && inside(x, y + 1)
      layer.set([...color, isInner ? innerAlpha : outlineAlpha], 4 * (y * width + x))
    }
  }
  return { data: layer, width, height }
}

/** The activation map in colours, more opaque where it is stronger. */
export function activationLayer({ data, width, height }: ActivationMap): Layer {
  const layer = new Uint8Array(4 * width * height)
  data.forEach((value, i) => {
    layer.set([...heatColor(value), Math.round(210 * Math.min(1, Math.max(0, value)) ** 0.6)], 4 * i)
  })
  return { data: layer, width, height }
}

export function layerPicture({ data, width, height }: Layer): sharp.Sharp {
  return loadSharp()(data, { raw: { width, height, channels: 4 } })
}

export interface OverlayOptions {
  lesions?: Mask
  activationMap?: ActivationMap
  /** Adds a strip that explains the colours. Default true. */
  legend?: boolean
}

/**
 * A PNG of the slice, enlarged to at least 512 pixels, with its lesions or its activation map over it.
 *
 * @throws JcsError SHAPE_MISMATCH when an overlay is not of the slice's size
 */
export async function overlayPng(slice: DecodedImage, options: OverlayOptions): Promise<Buffer> {
  const { lesions, activationMap, legend = true } = options
  for (const [name, part] of Object.entries({ lesions, activationMap })) {
    if (part) requireSameSize(name, part, slice)
  }
  const zoom = zoomOf(slice)
  const width = zoom * slice.width
  const height = zoom * slice.height
  const enlarge = (picture: sharp.Sharp, kernel: 'nearest' | 'cubic') =>
    picture.resize(width, height, { kernel }).png().toBuffer()
  const layers: sharp.OverlayOptions[] = []
  if (activationMap) {
    layers.push({
      input: await enlarge(layerPicture(activationLayer(activationMap)), 'cubic'),
      left: 0,
      top: 0,
    })
  }
  if (lesions) {
    const outlined = layerPicture(lesionLayer(enlargeMask(lesions, zoom)))
    layers.push({ input: await outlined.png().toBuffer(), left: 0, top: 0 })
  }
  if (legend) layers.push({ input: Buffer.from(legendSvg(width, options)), left: 0, top: height })
  const base = await enlarge(slicePicture(slice), 'cubic')
  return loadSharp()(base)
    .toColourspace('srgb')
    .extend({ bottom: legend ? legendHeight : 0, background: '#101418' })
    .composite(layers)
    .png()
    .toBuffer()
}

/** The whole factor by which a slice is enlarged for its longer side to have so many pixels. */
export function zoomOf({ width, height }: { width: number; height: number }, side = smallestSide): number {
  return Math.max(1, Math.ceil(side / Math.max(width, height)))
}

function requireSameSize(name: string, part: { width: number; height: number }, slice: DecodedImage): void {
  if (part.width === slice.width && part.height === slice.height) return
  throw new JcsError(
    'SHAPE_MISMATCH',
    `${name} is ${part.width} x ${part.height} and the slice ${slice.width} x ${slice.height}; both must have one size`,
  )
}

/** Enlarges a mask by a whole factor: its outline then is a thin line. */
export function enlargeMask({ data, width, height }: Mask, zoom: number): Mask {
  if (zoom === 1) return { data, width, height }
  const large = new Uint8Array(width * height * zoom * zoom)
  for (let y = 0; y < height * zoom; y++) {
    for (let x = 0; x < width * zoom; x++) {
      large[y * width * zoom + x] = data[Math.floor(y / zoom) * width + Math.floor(x / zoom)]!
    }
  }
  return { data: large, width: width * zoom, height: height * zoom }
}

const legendHeight = 34

function legendSvg(width: number, { lesions, activationMap }: OverlayOptions): string {
  const text = (x: number, content: string) =>
    `<text x="${x}" y="22" fill="#e6e9ec" font-family="sans-serif" font-size="13">${content}</text>`
  const parts: string[] = []
  let x = 12
  if (lesions) {
    const color = `rgb(${lesionColor.join(',')})`
    parts.push(
      `<rect x="${x}" y="11" width="14" height="14" fill="${color}" fill-opacity="0.35" stroke="${color}"/>`,
    )
    parts.push(text(x + 22, 'lesion'))
    x += 90
  }
  if (activationMap) {
    const stops = [0, 0.25, 0.5, 0.75, 1].map(
      (at) => `<stop offset="${at}" stop-color="rgb(${heatColor(at).join(',')})"/>`,
    )
    parts.push(`<defs><linearGradient id="heat">${stops.join('')}</linearGradient></defs>`)
    parts.push(`<rect x="${x}" y="12" width="110" height="12" fill="url(#heat)"/>`)
    parts.push(text(x + 118, 'activation, 0 to 1'))
    x += 250
  }
  if (width > x + 150) parts.push(text(width - 162, 'left is the image’s left'))
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${legendHeight}">${parts.join('')}</svg>`
}
