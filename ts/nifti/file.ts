import { constants, gunzipSync } from 'node:zlib'
import { JcsError } from '../base/errors'
// Not from the room's index, which starts the threads that this runs in.
import { type FileSource, readBytes, readHeadOf } from '../threads/file-source'
import { type Changes, Quantizer } from '../volumes'
import { headerBytes, type NiftiHeader, parseHeader, voxelArrays } from './header'
import { layOut } from './layout'

export type { NiftiHeader }

export interface NiftiTask {
  source: FileSource
  /** What messages call it. */
  name: string
  maxPixels: number
}

/** All slices, one after the other, as `layOut` lays them out. */
export interface NiftiVolume {
  /** Gray levels of 8 bits as they are stored, and whatever else as Hounsfield units. */
  data: Int16Array | Uint8Array
  changes: Changes
  lowest: number
}

/** Enough of a compressed file to hold the header. */
const headLength = 4096

export async function readNiftiHeader({ source, name, maxPixels }: NiftiTask): Promise<NiftiHeader> {
  const head = await readHeadOf(source, headLength)
  const plain = isCompressed(head)
    ? inflate(head, name, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 2 ** 24 })
    : head
  if (plain.length < headerBytes) throw new JcsError('CORRUPT_FILE', `${name} is cut short within its header`)
  return parseHeader(plain.subarray(0, headerBytes), name, maxPixels)
}

export async function readNiftiVolume(task: NiftiTask): Promise<NiftiVolume> {
  const header = await readNiftiHeader(task)
  const { source, name } = task
  const file = await readBytes(source)
  const voxels = header.size[0] * header.size[1] * header.size[2]
  const needed = header.offset + voxels * voxelArrays[header.datatype].BYTES_PER_ELEMENT
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

function decode(plain: Uint8Array, header: NiftiHeader): NiftiVolume {
  const { slope, intercept } = header
  const { width, height, slices, first, strides } = layOut(header)
  const stored = storedValues(plain, header)
  const isGray = stored instanceof Uint8Array && slope === 1 && intercept === 0
  const data = isGray ? new Uint8Array(stored.length) : new Int16Array(stored.length)
  const quantizer = new Quantizer()
  let lowest = Number.POSITIVE_INFINITY
  let target = 0
  for (let slice = 0; slice < slices; slice++) {
    for (let row = 0; row < height; row++) {
      let voxel = first + slice * strides[2] + row * strides[1]
      for (let column = 0; column < width; column++, voxel += strides[0]) {
        const value = quantizer.quantize(stored[voxel]! * slope + intercept)
        if (value < lowest) lowest = value
        data[target++] = value
      }
    }
  }
  const { rounded, saturated, notFinite } = quantizer
  return { data, changes: { rounded, saturated, notFinite }, lowest }
}

/** The voxels as they are stored, in this machine's order of bytes. */
function storedValues(plain: Uint8Array, { size, datatype, offset, isLittleEndian }: NiftiHeader) {
  const VoxelArray = voxelArrays[datatype]
  const bytes = VoxelArray.BYTES_PER_ELEMENT
  const count = size[0] * size[1] * size[2]
  // A copy: aligned, and free to be swapped.
  const copy = Buffer.from(new Uint8Array(plain.subarray(offset, offset + count * bytes)).buffer)
  if (!isLittleEndian) {
    if (bytes === 2) copy.swap16()
    if (bytes === 4) copy.swap32()
    if (bytes === 8) copy.swap64()
  }
  return new VoxelArray(copy.buffer, copy.byteOffset, count)
}
