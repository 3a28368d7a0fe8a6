import { gzipSync } from 'node:zlib'
import { readNiftiHeader, readNiftiVolume } from '../../ts/nifti/file'
import { layOut } from '../../ts/nifti/layout'
import { type Reader, readOrRefused } from '../reader'

/** NIfTI-1 (nifti1.h) and NIfTI-2 of 4 × 3 × 2 voxels of 16 bits: places of what is not zero. */
function header1(): Buffer {
  const bytes = Buffer.alloc(352)
  bytes.writeInt32LE(348, 0)
  for (const [index, extent] of [3, 4, 3, 2, 1, 1, 1, 1].entries()) bytes.writeInt16LE(extent, 40 + 2 * index)
  bytes.writeInt16LE(4, 70)
  bytes.writeInt16LE(16, 72)
  for (const index of [0, 1, 2, 3]) bytes.writeFloatLE(1, 76 + 4 * index)
  bytes.writeFloatLE(352, 108)
  bytes.writeFloatLE(1, 112)
  bytes.writeInt16LE(1, 254)
  for (const index of [0, 1, 2]) bytes.writeFloatLE(1, 280 + 20 * index)
  bytes.write('n+1\0', 344, 'latin1')
  return bytes
}

function header2(): Buffer {
  const bytes = Buffer.alloc(544)
  bytes.writeInt32LE(540, 0)
  bytes.write('n+2\0\r\n\x1a\n', 4, 'latin1')
  bytes.writeInt16LE(4, 12)
  bytes.writeInt16LE(16, 14)
  for (const [index, extent] of [3, 4, 3, 2, 1, 1, 1, 1].entries())
    bytes.writeBigInt64LE(BigInt(extent), 16 + 8 * index)
  for (const index of [0, 1, 2, 3]) bytes.writeDoubleLE(1, 104 + 8 * index)
  bytes.writeBigInt64LE(544n, 168)
  bytes.writeDoubleLE(1, 176)
  bytes.writeInt32LE(1, 348)
  for (const index of [0, 1, 2]) bytes.writeDoubleLE(1, 400 + 40 * index)
  return bytes
}

const voxels = Buffer.alloc(2 * 4 * 3 * 2, 7)

export const nifti: Reader = {
  name: 'nifti',
  longest: 2048,
  seeds: () => {
    const plain = [header1(), header2()].map((header) => Buffer.concat([header, voxels]))
    return [...plain, ...plain.map((bytes) => gzipSync(bytes))]
  },
  async read(bytes) {
    const task = { source: { bytes }, name: 'a file', maxPixels: 2 ** 20 }
    const header = await readOrRefused(() => readNiftiHeader(task))
    if (!header) return
    const { width, height, slices } = layOut(header)
    if (width * height * slices > 2 ** 22) return // what a scan may have, and what takes long to try
    const volume = await readOrRefused(() => readNiftiVolume(task))
    if (volume && volume.data.length !== width * height * slices)
      throw new Error(`${width} × ${height} × ${slices} voxels are ${volume.data.length}`)
  },
}
