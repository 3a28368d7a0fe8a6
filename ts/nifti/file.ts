import { constants, gunzipSync } from 'node:zlib'
import { JcsError } from '../base/errors'
import { readHead, readWhole } from '../base/files'
import { headerBytes, type NiftiHeader, parseHeader } from './header'
import { layOut } from './layout'

export type { NiftiHeader }

export type NiftiSource = { path: string } | { bytes: Uint8Array }

export interface NiftiTask {
  source: NiftiSource
  /** What messages call it. */
  name: string
  maxPixels: number
}

/** All slices, one after the other, as `layOut` lays them out. */
export interface NiftiVolume {
  /** Gray levels of 8 bits as they are stored, and whatever else as Hounsfield units. */
  data: Int16Array | Uint8Array
  isRounded: boolean
  saturatedVoxels: number
  /** NaN and infinities, which become air. */
  notFiniteVoxels: number
  lowest: number
}

/** Enough of a compressed file to hold the header. */
const headLength = 4096

export async function readNiftiHeader({ source, name, maxPixels }: NiftiTask): Promise<NiftiHeader> {
  const head =
    'path' in source ? await readHead(source.path, headLength) : source.bytes.subarray(0, headLength)
  const plain = isCompressed(head)
    ? inflate(head, name, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 2 ** 24 })
    : head
  if (plain.length < headerBytes) throw new JcsError('CORRUPT_FILE', `${name} is cut short within its header`)
  return parseHeader(plain.subarray(0, headerBytes), name, maxPixels)
}

export async function readNiftiVolume(task: NiftiTask): Promise<NiftiVolume> {
  const header = await readNiftiHeader(task)
  const { source, name } = task
  const file = 'path' in source ? await readWhole(source.path) : source.bytes
  const voxels = header.size[0] * header.size[1] * header.size[2]
  const needed = header.offset + voxels * header.datatype.bytes
  // What follows the volume, if anything does, is no more than a few bytes.
  const plain = isCompressed(file) ? inflate(file, name, { maxOutputLength: needed + 2 ** 16 }) : file
  if (plain.length < needed)
    throw new JcsError('CORRUPT_FILE', `${name} ends after ${plain.length} of ${needed} bytes`)
  return decode(plain, header)
}

function isCompressed(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b
}

function inflate(bytes: Uint8Array, name: string, options: object): Uint8Array {
  try {
    return gunzipSync(bytes, options)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new JcsError('INPUT_TOO_LARGE', `${name} inflates to more than its header claims`)
    throw new JcsError('CORRUPT_FILE', `${name} cannot be inflated: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

const airHu = -1024

function decode(plain: Uint8Array, header: NiftiHeader): NiftiVolume {
  const { slope, intercept, datatype } = header
  const { width, height, slices, first, strides } = layOut(header)
  const stored = storedValues(plain, header)
  const isGray = datatype.name === 'uint8' && slope === 1 && intercept === 0
  const data = isGray ? new Uint8Array(stored.length) : new Int16Array(stored.length)
  const result = { isRounded: false, saturatedVoxels: 0, notFiniteVoxels: 0, lowest: Infinity }
  let target = 0
  for (let slice = 0; slice < slices; slice++) {
    for (let row = 0; row < height; row++) {
      let voxel = first + slice * strides[2] + row * strides[1]
      for (let column = 0; column < width; column++, voxel += strides[0]) {
        const value = stored[voxel]! * slope + intercept
        let whole = Math.round(value)
        if (whole !== value) {
          if (Number.isFinite(value)) result.isRounded = true
          else {
            result.notFiniteVoxels++
            whole = airHu
          }
        }
        if (!isGray && (whole > 32767 || whole < -32768)) {
          whole = whole > 0 ? 32767 : -32768
          result.saturatedVoxels++
        }
        if (whole < result.lowest) result.lowest = whole
        data[target++] = whole
      }
    }
  }
  return { data, ...result }
}

/** The voxels as they are stored, in this machine's order of bytes. */
function storedValues(plain: Uint8Array, { size, datatype, offset, isLittleEndian }: NiftiHeader) {
  const { name, bytes } = datatype
  const length = size[0] * size[1] * size[2] * bytes
  // A copy: aligned, and free to be swapped.
  const copy = Buffer.from(new Uint8Array(plain.subarray(offset, offset + length)).buffer)
  if (!isLittleEndian) {
    if (bytes === 2) copy.swap16()
    if (bytes === 4) copy.swap32()
    if (bytes === 8) copy.swap64()
  }
  const { buffer, byteOffset } = copy
  const count = length / bytes
  switch (name) {
    case 'uint8':
      return new Uint8Array(buffer, byteOffset, count)
    case 'int8':
      return new Int8Array(buffer, byteOffset, count)
    case 'int16':
      return new Int16Array(buffer, byteOffset, count)
    case 'uint16':
      return new Uint16Array(buffer, byteOffset, count)
    case 'int32':
      return new Int32Array(buffer, byteOffset, count)
    case 'uint32':
      return new Uint32Array(buffer, byteOffset, count)
    case 'float32':
      return new Float32Array(buffer, byteOffset, count)
    case 'float64':
      return new Float64Array(buffer, byteOffset, count)
  }
}
