import { JcsError } from '../base/errors'
import {
  type DecodedImage,
  type DecodeOptions,
  defaultMaxPixels,
  type IntensityWindow,
  type PixelData,
  type Pixels,
} from './types'
import { applyWindow, resolveWindow } from './window'

const pixelArrays = [Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Float32Array]

/** True for whatever is meant as decoded pixels; `checkPixels` says whether it is right. */
export function isPixels(source: object): source is Pixels {
  return 'data' in source && 'width' in source && 'height' in source
}

/** A copy that its owner cannot change any more. Data of a type that is not accepted is left for the check. */
export function copyPixels(pixels: Pixels): Pixels {
  const type = pixelArrays.find((candidate) => pixels.data instanceof candidate)
  return type ? { ...pixels, data: new type(pixels.data) } : pixels
}

function checkPixels(pixels: Pixels, name: string, maxPixels: number): 1 | 3 | 4 {
  const { data, width, height, channels = 1, spacing } = pixels
  if (!pixelArrays.some((type) => data instanceof type)) {
    const type = Object.prototype.toString.call(data).slice(8, -1)
    throw new JcsError(
      'INVALID_TYPE',
      `${name}: data is ${type}; expected Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array or Float32Array`,
    )
  }
  for (const [side, size] of Object.entries({ width, height })) {
    if (!Number.isInteger(size) || size < 1) {
      throw new JcsError(
        'INVALID_ARGUMENT',
        `${name}: ${side} is ${size}; expected a whole number of at least 1`,
      )
    }
  }
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    throw new JcsError('INVALID_ARGUMENT', `${name}: channels is ${channels}; expected 1, 3 or 4`)
  }
  if (width * height > maxPixels) {
    throw new JcsError(
      'INPUT_TOO_LARGE',
      `${name}: ${width} x ${height} pixels; at most ${maxPixels} are accepted (option maxPixels)`,
    )
  }
  if (data.length !== width * height * channels) {
    throw new JcsError(
      'SHAPE_MISMATCH',
      `${name}: data has ${data.length} values; width ${width} x height ${height} x channels ${channels} asks for ${width * height * channels}`,
    )
  }
  if (spacing !== undefined) {
    const isPair = Array.isArray(spacing) && spacing.length === 2
    if (!isPair || !spacing.every((mm) => Number.isFinite(mm) && mm > 0)) {
      throw new JcsError(
        'INVALID_ARGUMENT',
        `${name}: spacing is [${spacing}]; expected two positive numbers in mm`,
      )
    }
  }
  return channels
}

/** Checks decoded pixels and brings them into the form that the native side takes. It may share their memory. */
export function decodePixels(pixels: Pixels, name: string, options: DecodeOptions = {}): DecodedImage {
  const { width, height, spacing } = pixels
  const channels = checkPixels(pixels, name, options.maxPixels ?? defaultMaxPixels)
  const rest = { width, height, ...(spacing && { spacing }) }
  if (pixels.data instanceof Int16Array) {
    const window = requireWindow(pixels.window ?? options.window, name)
    if (channels !== 4) return { data: pixels.data, channels, window, ...rest }
    return { data: compositeOnBlack(applyWindow(pixels.data, window)), channels: 3, ...rest }
  }
  const data = checkUnsigned(pixels.data, name)
  if (channels !== 4) return { data, channels, ...rest }
  return { data: compositeOnBlack(data), channels: 3, ...rest }
}

/** 1 where any colour channel is nonzero and not transparent. Labels of any type; no window is needed. */
export function pixelsToMask(pixels: Pixels, name: string, options: DecodeOptions = {}): Uint8Array {
  const { data, width, height } = pixels
  const channels = checkPixels(pixels, name, options.maxPixels ?? defaultMaxPixels)
  if (data instanceof Float32Array) checkFinite(data, name)
  const mask = new Uint8Array(width * height)
  const colours = Math.min(channels, 3)
  for (let pixel = 0; pixel < mask.length; pixel++) {
    const first = pixel * channels
    if (channels === 4 && data[first + 3] === 0) continue
    for (let channel = 0; channel < colours; channel++) {
      if (data[first + channel] !== 0) mask[pixel] = 1
    }
  }
  return mask
}

type UnsignedData = Uint8Array | Uint16Array | Float32Array

function checkUnsigned(data: Exclude<PixelData, Int16Array>, name: string): UnsignedData {
  if (data instanceof Float32Array) {
    checkFinite(data, name)
    const outside = data.findIndex((value) => value < 0 || value > 1)
    if (outside >= 0) {
      throw new JcsError(
        'INVALID_ARGUMENT',
        `${name}: data[${outside}] is ${data[outside]}; floats must be in [0, 1]`,
      )
    }
    return data
  }
  return data instanceof Uint16Array ? data : new Uint8Array(data.buffer, data.byteOffset, data.length)
}

function checkFinite(data: Float32Array, name: string): void {
  const bad = data.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0)
    throw new JcsError('NOT_FINITE', `${name}: data[${bad}] is ${data[bad]}; every pixel must be a number`)
}

function requireWindow(window: DecodeOptions['window'], name: string): IntensityWindow {
  if (window !== undefined) return resolveWindow(window, name)
  throw new JcsError(
    'INVALID_ARGUMENT',
    `${name}: signed 16-bit pixels need a window, for example 'lung' or { center: -600, width: 1500 } for lungs in HU`,
  )
}

/** Colours and alpha become colours. */
function compositeOnBlack(data: UnsignedData): UnsignedData {
  const opaque = data instanceof Uint8Array ? 255 : data instanceof Uint16Array ? 65535 : 1
  const round = opaque === 1 ? (value: number) => value : Math.round
  const pixelCount = data.length / 4
  const flat = data.slice(0, pixelCount * 3)
  for (let pixel = 0; pixel < pixelCount; pixel++) {
    const alpha = data[pixel * 4 + 3]! / opaque
    for (let channel = 0; channel < 3; channel++) {
      flat[pixel * 3 + channel] = round(data[pixel * 4 + channel]! * alpha)
    }
  }
  return flat
}
