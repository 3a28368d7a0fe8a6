import type { Metadata, SharpOptions } from 'sharp'
import { JcsError } from '../base/errors'
import { loadSharp } from './sharp'
import {
  type DecodedImage,
  type DecodeOptions,
  defaultMaxPixels,
  type Encoded,
  type ImageSize,
  type OpenedSlices,
} from './types'

/**
 * Stored values are what counts, so neither colour profiles nor EXIF orientation are applied: CT slices carry neither,
 * and a mask must not turn when its image does not.
 */
const readOptions: SharpOptions = { failOn: 'error', ignoreIcc: true, limitInputPixels: false }

const graySpaces: ReadonlySet<string> = new Set(['b-w', 'grey16'])
const colourSpaces: ReadonlySet<string> = new Set(['srgb', 'rgb', 'rgb16'])

/** PNG, JPEG and TIFF (each page a slice), 8 and 16 bit, gray, RGB, palette, with or without alpha. */
export async function openRaster(source: Encoded, options: DecodeOptions): Promise<OpenedSlices> {
  const { name } = source
  const bytes = await source.bytes()
  const { pages = 1 } = await readHeader(bytes, 0, name, options)
  const decoders = Array.from({ length: pages }, (_, page) => async () => {
    const pageName = pages > 1 ? `${name} (page ${page + 1} of ${pages})` : name
    const decoded = await decodePage(bytes, page, pageName, options)
    if (source.label === undefined) return decoded
    return { ...decoded, source: pages > 1 ? `${source.label}, page ${page + 1}` : source.label }
  })
  return { decoders }
}

export async function inspectRaster(source: Encoded, options: DecodeOptions): Promise<ImageSize> {
  const { name } = source
  const { width, height, pages = 1 } = await readHeader(await source.bytes(), 0, name, options)
  return { width, height, slices: pages }
}

async function readHeader(
  bytes: Uint8Array,
  page: number,
  name: string,
  options: DecodeOptions,
): Promise<Metadata> {
  let metadata: Metadata
  try {
    metadata = await loadSharp()(bytes, { ...readOptions, page, pages: 1 }).metadata()
  } catch (error) {
    throw corrupt(name, error)
  }
  const { width, height, depth, space } = metadata
  const { maxPixels = defaultMaxPixels } = options
  if (width * height > maxPixels) {
    throw new JcsError(
      'INPUT_TOO_LARGE',
      `${name} claims ${width} x ${height} pixels; at most ${maxPixels} are accepted (option maxPixels)`,
    )
  }
  if (depth !== 'uchar' && depth !== 'ushort') {
    throw new JcsError(
      'UNSUPPORTED_FORMAT',
      `${name} has pixels of type ${depth}; images have unsigned 8 or 16 bits. Pass decoded pixels instead`,
    )
  }
  if (!graySpaces.has(space) && !colourSpaces.has(space)) {
    throw new JcsError('UNSUPPORTED_FORMAT', `${name} is a ${space} image; gray and RGB are read`)
  }
  return metadata
}

async function decodePage(
  bytes: Uint8Array,
  page: number,
  name: string,
  options: DecodeOptions,
): Promise<DecodedImage> {
  const metadata = await readHeader(bytes, page, name, options)
  const is16Bit = metadata.depth === 'ushort'
  const isGray = graySpaces.has(metadata.space)
  const space = isGray ? (is16Bit ? 'grey16' : 'b-w') : is16Bit ? 'rgb16' : 'srgb'
  try {
    const { data, info } = await loadSharp()(bytes, { ...readOptions, page, pages: 1 })
      .flatten({ background: '#000' })
      .toColourspace(space)
      .raw({ depth: is16Bit ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true })
    const { width, height, channels } = info
    if (channels !== 1 && channels !== 3) throw new Error(`${channels} channels after alpha was resolved`)
    return { data: is16Bit ? asUint16(data) : asUint8(data), width, height, channels }
  } catch (error) {
    throw corrupt(name, error)
  }
}

function asUint8(data: Buffer): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.length)
}

function asUint16(data: Buffer): Uint16Array {
  const aligned = data.byteOffset % 2 === 0 ? data : Buffer.from(data)
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2)
}

function corrupt(name: string, error: unknown): JcsError {
  const [firstLine = ''] = String((error as Error).message).split('\n')
  // sharp's words for a recognised format whose structure makes no sense.
  const reason = firstLine.replace(
    'Input buffer contains unsupported image format',
    'its structure is broken',
  )
  return new JcsError('CORRUPT_FILE', `${name} cannot be decoded: ${reason.replace(/:\s*$/, '')}`, {
    cause: error,
  })
}
