import { JcsError } from '../errors'
import { inspectRaster, openRaster } from './raster'
import { type ImageFormat, sniff } from './sniff'
import type { DecodedImage, DecodeOptions, ImageSize } from './types'

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

const decoders: readonly Decoder[] = [
  {
    name: 'sharp',
    matches: (format) => ['PNG', 'JPEG', 'TIFF'].includes(format),
    open: openRaster,
    inspect: inspectRaster,
  },
]

/** The decoder for the content that `head`, the first bytes of a source, declares. */
export function findDecoder(head: Uint8Array, name: string): Decoder {
  if (head.length === 0) throw new JcsError('CORRUPT_FILE', `${name} is empty`)
  const format = sniff(head)
  const decoder = format && decoders.find((candidate) => candidate.matches(format))
  if (decoder) return decoder
  if (format) {
    throw new JcsError(
      'UNSUPPORTED_FORMAT',
      `${name} is a ${format} file; reading ${format} comes with a later version. Convert it to PNG or TIFF, or pass decoded pixels`,
    )
  }
  throw new JcsError(
    'UNSUPPORTED_FORMAT',
    `${name} is not a PNG, JPEG or TIFF image (its content says so, whatever its name)`,
  )
}
