import { deflateSync } from 'node:zlib'

/** Writers of small PNG and TIFF files in every flavour that tests need, so that expected pixels are known exactly. */

interface PngOptions {
  width: number
  height: number
  bitDepth?: 1 | 2 | 4 | 8 | 16
  /** 0 gray, 2 RGB, 3 palette, 4 gray + alpha, 6 RGBA. */
  colourType: 0 | 2 | 3 | 4 | 6
  /** Packed scanlines, without filter bytes. */
  rows: number[][]
  palette?: number[]
  paletteAlpha?: number[]
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  body.copy(framed, 4)
  framed.writeUInt32BE(checksum(body), body.length + 4)
  return framed
}

/** CRC-32; node:zlib has one from Node 22.2 on only. */
function checksum(data: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of data) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}

export function encodePng({
  width,
  height,
  bitDepth = 8,
  colourType,
  rows,
  palette,
  paletteAlpha,
}: PngOptions): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([bitDepth, colourType, 0, 0, 0], 8)
  const scanlines = Buffer.concat(rows.map((row) => Buffer.from([0, ...row])))
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    ...(palette ? [chunk('PLTE', Buffer.from(palette))] : []),
    ...(paletteAlpha ? [chunk('tRNS', Buffer.from(paletteAlpha))] : []),
    chunk('IDAT', deflateSync(scanlines)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** An 8-bit gray PNG. */
export function grayPng(width: number, height: number, value: (x: number, y: number) => number): Buffer {
  const rows = Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => value(x, y)))
  return encodePng({ width, height, colourType: 0, rows })
}

interface TiffPage {
  width: number
  height: number
  bitsPerSample: number
  /** 1 unsigned, 2 signed, 3 float. */
  sampleFormat?: 1 | 2 | 3
  samplesPerPixel?: number
  /** 0 white is zero, 1 black is zero, 2 RGB. */
  photometric?: 0 | 1 | 2
  data: Uint8Array
}

/** An uncompressed little-endian TIFF, one strip a page. */
export function encodeTiff(pages: TiffPage[]): Buffer {
  const parts: Buffer[] = [Buffer.from('II*\0', 'latin1'), Buffer.alloc(4)]
  let offset = 8
  let pointer = parts[1]!
  let pointerAt = 0
  for (const page of pages) {
    const { width, height, bitsPerSample, sampleFormat = 1, samplesPerPixel = 1, photometric = 1 } = page
    const data = Buffer.from(page.data)
    const padded = data.length % 2 ? Buffer.concat([data, Buffer.alloc(1)]) : data
    const entries = [
      [256, width],
      [257, height],
      [258, bitsPerSample],
      [259, 1],
      [262, photometric],
      [273, offset],
      [277, samplesPerPixel],
      [278, height],
      [279, data.length],
      [339, sampleFormat],
    ]
    const directory = Buffer.alloc(2 + entries.length * 12 + 4)
    directory.writeUInt16LE(entries.length, 0)
    entries.forEach(([tag, value], index) => {
      const at = 2 + index * 12
      directory.writeUInt16LE(tag!, at)
      directory.writeUInt16LE(4, at + 2)
      directory.writeUInt32LE(1, at + 4)
      directory.writeUInt32LE(value!, at + 8)
    })
    pointer.writeUInt32LE(offset + padded.length, pointerAt)
    pointer = directory
    pointerAt = directory.length - 4
    parts.push(padded, directory)
    offset += padded.length + directory.length
  }
  return Buffer.concat(parts)
}
