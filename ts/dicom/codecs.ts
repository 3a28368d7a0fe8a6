import { JcsError } from '../base/errors'
import { reasonOf } from './elements'
import { decodeRle } from './rle'
import type { TransferSyntax } from './transfer-syntaxes'

/** One compressed frame, of the size that its header says. */
export interface CompressedFrame {
  bytes: Uint8Array
  width: number
  height: number
  /** 1 or 2. */
  bytesPerPixel: number
}

/** Gives the stored values, little endian. Throws whatever the library does. */
type Codec = (frame: CompressedFrame) => Promise<Uint8Array>

/**
 * WebAssembly but for RLE: damaged frames cannot harm the process. The JPEG family of DCMTK through dcmjs-codecs, which
 * reads 12 bits and lossless as well as 8; CharLS, OpenJPEG and OpenJPH as Cornerstone builds them. Each is loaded when
 * a file first needs it.
 */
export const codecs: Readonly<Record<NonNullable<TransferSyntax['codec']>, Codec>> = {
  rle: async ({ bytes, width, height, bytesPerPixel }) => decodeRle(bytes, width * height, bytesPerPixel),
  jpeg: decodeJpeg,
  'jpeg-lossless': decodeJpeg,
  'jpeg-ls': wasmCodec('JpegLSDecoder', () => require('@cornerstonejs/codec-charls/decodewasmjs')),
  'jpeg-2000': wasmCodec('J2KDecoder', () => require('@cornerstonejs/codec-openjpeg/decodewasmjs')),
  htj2k: wasmCodec('HTJ2KDecoder', () => require('@cornerstonejs/codec-openjph/wasmjs')),
}

let jpegCodecs: Promise<typeof import('dcmjs-codecs')> | undefined

async function decodeJpeg({ bytes, width, height, bytesPerPixel }: CompressedFrame): Promise<Uint8Array> {
  jpegCodecs ??= loadJpegCodecs()
  const { Context, NativeCodecs } = await jpegCodecs
  const context = new Context({
    width,
    height,
    bitsAllocated: 8 * bytesPerPixel,
    bitsStored: 8 * bytesPerPixel,
    samplesPerPixel: 1,
    pixelRepresentation: 0,
    planarConfiguration: 0,
    photometricInterpretation: 'MONOCHROME2',
  })
  context.setEncodedBuffer(bytes)
  try {
    return NativeCodecs.decodeJpeg(context).getDecodedBuffer()!.slice()
  } catch (error) {
    throw namedFailure(error)
  }
}

/** An exception of C++ arrives as its address, which says nothing to anybody. */
function namedFailure(error: unknown): unknown {
  return typeof error === 'number' ? new Error('its codestream is damaged') : error
}

function loadJpegCodecs() {
  return loading('dcmjs-codecs', async () => {
    const library = require('dcmjs-codecs') as typeof import('dcmjs-codecs')
    await library.NativeCodecs.initializeAsync()
    return library
  })
}

/** A codec that cannot be loaded is no fault of the file. */
async function loading<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    throw new JcsError('INTERNAL', `${name} could not be loaded: ${reasonOf(error)}`, { cause: error })
  }
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
    loaded ??= loading(decoderName, () => load()({ print() {}, printErr() {} }))
    const decoder = new (await loaded)[decoderName]!()
    try {
      decoder.getEncodedBuffer(bytes.length).set(bytes)
      decoder.decode()
      // The buffer belongs to the module, and goes with the decoder.
      return decoder.getDecodedBuffer().slice()
    } catch (error) {
      throw namedFailure(error)
    } finally {
      decoder.delete()
    }
  }
}
