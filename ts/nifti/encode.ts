import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { JcsError } from '../base/errors'
import type { VoxelGrid } from '../volumes'

const uint8 = 2
const millimetres = 2
/** "Coordinates of the scanner" (nifti1.h, NIFTI_XFORM_SCANNER_ANAT). */
const scannerAnat = 1
/** Sizes are signed numbers of 16 bits in NIfTI-1. */
const largestSize = 32767
const headerLength = 352

/**
 * A compressed NIfTI-1 file (.nii.gz) of whole numbers up to 255, in the order of the grid's voxels. The grid's affine is
 * written as its sform; a grid without one says only how far its voxels are apart.
 *
 * @throws JcsError INPUT_TOO_LARGE
 */
export async function encodeNifti(voxels: Uint8Array, grid: VoxelGrid, description: string): Promise<Buffer> {
  const { size, affine, spacingMm } = grid
  if (size.some((voxels) => voxels > largestSize)) {
    throw new JcsError(
      'INPUT_TOO_LARGE',
      `NIfTI-1 holds at most ${largestSize} voxels a side, these are ${size.join(' x ')}`,
    )
  }
  const { NIFTI1 } = await import('nifti-reader-js')
  const header = new NIFTI1()
  header.littleEndian = true
  header.dims = [3, ...size, 1, 1, 1, 1]
  header.pixDims = [1, ...spacingMm, 0, 0, 0, 0]
  header.datatypeCode = uint8
  header.numBitsPerVoxel = 8
  header.vox_offset = headerLength
  header.scl_slope = 1
  header.xyzt_units = millimetres
  header.description = description.slice(0, 79)
  header.magic = 'n+1'
  if (affine) {
    const [x, y, z] = affine
    // NIfTI's x and y run to the right and to the front.
    header.sform_code = scannerAnat
    header.affine = [x.map((value) => -value), y.map((value) => -value), z, [0, 0, 0, 1]]
  }
  return promisify(gzip)(Buffer.concat([new Uint8Array(header.toArrayBuffer()), voxels]))
}
