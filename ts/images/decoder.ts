import type { ImageFormat } from './sniff'
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
