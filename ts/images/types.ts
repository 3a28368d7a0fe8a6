import type { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { SeriesFiles, SourceStudy } from '../dicom'
import type { Excluded, Orientation, Series, VoxelGrid } from '../volumes'
import type { ImageFormat } from './sniff'

export type { Excluded, Series }

/**
 * One image, or one case:
 * - a path, a `file:` or an `http(s):` address of a PNG, JPEG, TIFF, DICOM or NIfTI file, told apart by content, never by
 *   extension;
 * - the path of a directory: a case, its slices those of the DICOM series in it, head first, or pictures in natural name
 *   order;
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
  /** Fractions of 255 or 65535, floats in [0, 1], or signed numbers, which are seen through a window. */
  data: Uint8Array | Uint16Array | Float32Array | Int16Array
  width: number
  height: number
  channels: 1 | 3
  /** Of signed data, where the caller said which; else it is the network's own, and of pictures 'lung'. */
  window?: IntensityWindow
  spacing?: readonly [number, number]
  /** Centre of the first pixel in the patient's coordinates: x to the left, y to the back, z to the head, mm. */
  positionMm?: readonly [number, number, number]
  /** Unit vectors in the same coordinates: along a row, then down a column. */
  orientation?: Orientation
  /** As they stand in the file, where it has them; of what a `Case` gives, not the class. */
  sopClassUid?: string
  instanceUid?: string
  /** From 1: in a DICOM file that may hold several. */
  frameNumber?: number
  seriesUid?: string
  /** What reports call it: the name of its file, with the page of files of several. */
  source?: string
}

export interface ImageSize {
  width: number
  height: number
  /** 1, and more of a volume or a file of several pages. */
  slices: number
}

/** Windows that have a name. @see {@link namedWindows} */
export type WindowName = 'lung' | 'mediastinum'

/** How the values of a slice are read, one of a case or one of a dataset. */
export interface DecodingOptions {
  /**
   * Which values are stretched over [0, 1], by name or in HU: of DICOM, NIfTI, and signed 16-bit pixels that bring no
   * window of their own. 'lung' is −600/1500, 'mediastinum' 40/400. Default for DICOM and NIfTI: for a network its own,
   * `model.window`; for pictures 'lung'. `train` gives the window to its model, so it is to be said for images that
   * were windowed before they came here, too.
   */
  window?: WindowName | IntensityWindow | undefined
  /** Images with more pixels are refused before they are decoded. Default 2^26 (8192 x 8192). */
  maxPixels?: number | undefined
}

export interface DecodeOptions extends DecodingOptions {
  signal?: AbortSignal | undefined
}

export const defaultMaxPixels = 2 ** 26

/** How a case is made of what was given. */
export interface CaseOptions {
  /** The UID of the DICOM series to take. Default: the one with the most axial CT slices. */
  series?: string | undefined
  /** Whether a slice that cannot be read stops (default), or is left out and reported. */
  onBadSlice?: 'error' | 'skip' | undefined
  /**
   * Whether slices that are missing in a DICOM series stop, or are reported. Default: they stop only where volumes are
   * measured, which are wrong over a gap.
   */
  onGap?: 'refuse' | 'warn' | undefined
}

/** A volume that is open for decoding. */
export interface Volume {
  series: Series
  /** Where slices are missing, full sentences; from the headers. */
  gaps: readonly string[]
  /** Full sentences; those on decoding come with it. */
  warnings(): string[]
  /** Of a file that has the whole volume: its voxels, in its own order. */
  grid?: VoxelGrid
  /** Of DICOM: whom it is of, and what files a result with it. Read from the file for each call. */
  study?(): Promise<SourceStudy>
  /** Of DICOM. */
  files?(): SeriesFiles
}

/** Decodes one slice of an encoded source when called. */
export type SliceDecoder = () => Promise<DecodedImage>

/** A source that a decoder reads from where it lies. */
export interface Encoded {
  /** What messages call it. */
  name: string
  /** What reports call it; without a path. */
  label?: string
  format: ImageFormat
  /** Of a file on the disk. */
  path?: string
  bytes(): Promise<Uint8Array>
}

/** What a source holds. */
export interface OpenedSlices {
  /** One a slice, in order. */
  decoders: SliceDecoder[]
  /** That the slices are of, if they are of one. */
  volume?: Volume
}

/** Reads one family of formats. A decoder for another one is a new row of `decoders`. */
export interface Decoder {
  formats: readonly ImageFormat[]
  /** Reads headers only, and checks them against the limits. */
  open(source: Encoded, options: DecodeOptions): Promise<OpenedSlices>
  /** From the header. */
  inspect(source: Encoded, options: DecodeOptions): Promise<ImageSize>
}
