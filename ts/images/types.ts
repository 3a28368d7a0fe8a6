import type { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { ImageFormat } from './sniff'

/**
 * One image, or one case:
 * - a path, a `file:` or an `http(s):` address of a PNG, JPEG or TIFF, told apart by content, never by extension;
 * - the path of a directory: a case, its slices in natural name order;
 * - the bytes of such a file, whole or as a stream;
 * - decoded pixels.
 */
export type ImageSource = string | URL | Uint8Array | ArrayBuffer | ReadableStream | Readable | Pixels

/** One source or many. Any other iterable than bytes and byte streams is many. */
export type Images = ImageSource | Iterable<ImageSource> | AsyncIterable<ImageSource>

export type PixelData = Uint8Array | Uint8ClampedArray | Int16Array | Uint16Array | Float32Array

/** The range of intensities that is stretched over [0, 1], in the source's own units (HU for CT). */
export interface IntensityWindow {
  center: number
  width: number
}

/**
 * Decoded pixels, row by row, channels interleaved. Values of 8 and 16 bit count as fractions of 255 and 65535, floats
 * are in [0, 1], and signed 16 bit (Hounsfield units) needs a `window`.
 */
export interface Pixels {
  data: PixelData
  width: number
  height: number
  /** Default 1. A fourth channel is alpha, composited on black. */
  channels?: 1 | 3 | 4 | undefined
  /** Distance of neighbouring pixels in mm: between rows, then between columns. */
  spacing?: readonly [number, number] | undefined
  window?: IntensityWindow | undefined
}

/** What every decoder gives and the native side takes: row by row, channels interleaved, no alpha. */
export interface DecodedImage {
  /** Fractions of 255 or 65535, floats in [0, 1], or signed numbers, of which `window` says what they mean. */
  data: Uint8Array | Uint16Array | Float32Array | Int16Array
  width: number
  height: number
  channels: 1 | 3
  /** With signed data, always. */
  window?: IntensityWindow
  spacing?: readonly [number, number]
  /** What reports call it: the name of its file, with the page of files of several. */
  source?: string
}

export interface ImageSize {
  width: number
  height: number
}

export interface DecodeOptions {
  /** For signed 16-bit data that brings no window of its own. */
  window?: IntensityWindow | undefined
  /** Images with more pixels are refused before they are decoded. Default 2^26 (8192 x 8192). */
  maxPixels?: number | undefined
  signal?: AbortSignal | undefined
}

export const defaultMaxPixels = 2 ** 26

/** Decodes one slice of an encoded source when called. */
export type SliceDecoder = () => Promise<DecodedImage>

/** Reads one family of formats. A decoder for another one is a new row of `decoders`. */
export interface Decoder {
  name: string
  matches(format: ImageFormat): boolean
  /**
   * Reads headers only, checks them against the limits, and returns one decoder a slice, in order. `name` is what
   * messages call the source.
   */
  open(bytes: Uint8Array, name: string, options: DecodeOptions): Promise<SliceDecoder[]>
  /** The size of a source that is one slice, from its header. Several slices are INVALID_ARGUMENT. */
  inspect(bytes: Uint8Array, name: string, options: DecodeOptions): Promise<ImageSize>
}
