import { requireOneOf } from '../base/check'
import type { Case } from '../cases'
import { encodeNifti } from '../nifti/encode'
import type { Diagnosis } from '../run/results'
import type { VoxelGrid } from '../volumes'
import { masksOf, type Outlined, outlined, requireMasksOf } from './masks'

/**
 * The mask of a diagnosed case as a compressed NIfTI-1 file (.nii.gz): 1 where there is a lesion, or lung, else 0. Voxels
 * lie where the case's do: those of a NIfTI file in that file's own order, those of DICOM in columns, rows and slices
 * from the head down.
 *
 * @param scan the case that was diagnosed
 * @throws JcsError INVALID_TYPE, INVALID_ARGUMENT when the diagnosis did not look for them, or is of another case;
 * INCOMPLETE_SERIES for slices of several sizes, or that do not lie evenly in a line; INPUT_TOO_LARGE beyond what NIfTI-1
 * holds; DISPOSED
 */
export async function niftiMask(
  diagnosis: Diagnosis,
  scan: Case,
  what: Outlined = 'lesions',
): Promise<Buffer> {
  requireOneOf('what', what, outlined)
  const masks = masksOf(diagnosis, what)
  const grid = await scan.voxelGrid()
  return encodeNifti(volumeOf(masks, grid), grid, `${what}; research use, not a medical device`)
}

function volumeOf(masks: readonly Uint8Array[], { slices, first, strides }: VoxelGrid): Uint8Array {
  requireMasksOf(masks, slices)
  const { width, height, count } = slices
  const volume = new Uint8Array(width * height * count)
  for (let slice = 0; slice < count; slice++) {
    const mask = masks[slice]!
    let pixel = 0
    for (let row = 0; row < height; row++) {
      let voxel = first + slice * strides[2] + row * strides[1]
      for (let column = 0; column < width; column++, voxel += strides[0]) volume[voxel] = mask[pixel++]!
    }
  }
  return volume
}
