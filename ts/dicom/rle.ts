/**
 * Decodes a frame of RLE Lossless (PS3.5, annex G): one segment per byte of a pixel, the most significant first, each
 * packed as PackBits are. Throws an Error that says what is wrong.
 */
export function decodeRle(frame: Uint8Array, pixels: number, bytesPerPixel: number): Uint8Array {
  const header = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  if (frame.length < 64) throw new Error('its RLE header is cut short')
  const segments = header.getUint32(0, true)
  if (segments !== bytesPerPixel)
    throw new Error(`it has ${segments} RLE segments; ${bytesPerPixel} are needed`)
  const decoded = new Uint8Array(pixels * bytesPerPixel)
  for (let segment = 0; segment < segments; segment++) {
    const start = header.getUint32(4 + 4 * segment, true)
    const end = segment + 1 < segments ? header.getUint32(8 + 4 * segment, true) : frame.length
    // Little endian in memory, so the most significant byte is the last of its pixel.
    unpack(frame.subarray(start, end), decoded, bytesPerPixel - 1 - segment, bytesPerPixel, pixels)
  }
  return decoded
}

function unpack(packed: Uint8Array, into: Uint8Array, first: number, step: number, count: number): void {
  let read = 0
  let written = 0
  while (written < count) {
    if (read + 1 >= packed.length) throw new Error('an RLE segment is cut short')
    const control = packed[read++]!
    if (control === 128) continue
    const isRun = control > 128
    const length = isRun ? 257 - control : control + 1
    if (!isRun && read + length > packed.length) throw new Error('an RLE segment is cut short')
    for (let i = 0; i < length && written < count; i++) {
      into[first + step * written++] = packed[isRun ? read : read + i]!
    }
    read += isRun ? 1 : length
  }
}
