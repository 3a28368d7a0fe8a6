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

/**
 * A frame in RLE Lossless (PS3.5, annex G): of pixels of `bytesPerPixel` bytes, little endian, one segment per byte, the
 * most significant first. No run crosses the end of a row.
 */
export function encodeRle(frame: Uint8Array, columns: number, bytesPerPixel: number): Uint8Array {
  const header = Buffer.alloc(64)
  header.writeUInt32LE(bytesPerPixel, 0)
  const segments: Uint8Array[] = [header]
  let offset = header.length
  for (let segment = 0; segment < bytesPerPixel; segment++) {
    header.writeUInt32LE(offset, 4 + 4 * segment)
    const plane = planeOf(frame, bytesPerPixel - 1 - segment, bytesPerPixel)
    const packed = packRows(plane, columns)
    segments.push(packed)
    offset += packed.length
  }
  return Buffer.concat(segments)
}

function planeOf(frame: Uint8Array, first: number, step: number): Uint8Array {
  const plane = new Uint8Array(frame.length / step)
  for (let i = 0; i < plane.length; i++) plane[i] = frame[first + step * i]!
  return plane
}

/** Of even length: a segment is padded by a zero (PS3.5, G.3). */
function packRows(bytes: Uint8Array, columns: number): Uint8Array {
  const packed: number[] = []
  for (let row = 0; row < bytes.length; row += columns) pack(bytes.subarray(row, row + columns), packed)
  if (packed.length % 2 === 1) packed.push(0)
  return Uint8Array.from(packed)
}

function pack(row: Uint8Array, packed: number[]): void {
  const runFrom = (start: number) => {
    let end = start + 1
    while (end < row.length && end - start < 128 && row[end] === row[start]) end++
    return end
  }
  let at = 0
  while (at < row.length) {
    const end = runFrom(at)
    if (end - at > 1) {
      packed.push(257 - (end - at), row[at]!)
      at = end
      continue
    }
    const start = at
    while (at < row.length && at - start < 128 && runFrom(at) - at < 2) at++
    packed.push(at - start - 1, ...row.subarray(start, at))
  }
}
