import { Decoder as JpegLosslessDecoder } from '@cornerstonejs/jpeg-lossless-decoder-js/release/cjs/lossless.cjs'
import { decodeRle } from './rle'
import type { TransferSyntax } from './transfer-syntaxes'

/** One compressed frame, of the size that its header says. */
export interface CompressedFrame {
  bytes: Uint8Array
  pixels: number
  /** 1 or 2. */
  bytesPerPixel: number
}

/** Gives the stored values, little endian. Throws whatever the library does. */
type Codec = (frame: CompressedFrame) => Promise<Uint8Array>

/**
 * Codecs are those that OHIF and Cornerstone run: CharLS, OpenJPEG, OpenJPH and libjpeg-turbo as WebAssembly, and a
 * decoder of lossless JPEG in JavaScript. Each is loaded when a file first needs it.
 */
export const codecs: Readonly<Record<NonNullable<TransferSyntax['codec']>, Codec>> = {
  rle: async ({ bytes, pixels, bytesPerPixel }) => decodeRle(bytes, pixels, bytesPerPixel),
  'jpeg-lossless': async ({ bytes, bytesPerPixel }) => {
    // The decoder takes a buffer, and gives values of 8 or 16 bits.
    const { buffer, byteOffset, length } = bytes
    const values = new JpegLosslessDecoder().decode(buffer as ArrayBuffer, byteOffset, length, bytesPerPixel)
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  },
  jpeg: wasmCodec('JPEGDecoder', () => require('@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs')),
  'jpeg-ls': wasmCodec('JpegLSDecoder', () => require('@cornerstonejs/codec-charls/decodewasmjs')),
  'jpeg-2000': wasmCodec('J2KDecoder', () => require('@cornerstonejs/codec-openjpeg/decodewasmjs')),
  htj2k: wasmCodec('HTJ2KDecoder', () => require('@cornerstonejs/codec-openjph/wasmjs')),
}

/** The interface that Cornerstone's WebAssembly codecs share. */
interface WasmDecoder {
  getEncodedBuffer(length: number): Uint8Array
  decode(): void
  getDecodedBuffer(): Uint8Array
  delete(): void
}

interface WasmModule {
  [decoder: string]: new () => WasmDecoder
}

type WasmFactory = (settings: { print(): void; printErr(): void }) => Promise<WasmModule>

function wasmCodec(decoderName: string, load: () => WasmFactory): Codec {
  let loaded: Promise<WasmModule> | undefined
  return async ({ bytes }) => {
    // OpenJPEG would write to stdout, where the command line's JSON goes.
    loaded ??= load()({ print() {}, printErr() {} })
    const decoder = new (await loaded)[decoderName]!()
    try {
      decoder.getEncodedBuffer(bytes.length).set(bytes)
      decoder.decode()
      // The buffer belongs to the module, and goes with the decoder.
      return decoder.getDecodedBuffer().slice()
    } catch (error) {
      // An exception of C++ arrives as its address, which says nothing to anybody.
      throw typeof error === 'number' ? new Error('its codestream is damaged') : error
    } finally {
      decoder.delete()
    }
  }
}
