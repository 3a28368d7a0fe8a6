import { requireOneOf } from '../base/check'
import { JcsError } from '../base/errors'
import type { Case } from '../cases'
import { encodeNifti } from '../nifti/encode'
import type { DiagnosedSlice, Diagnosis } from '../run/results'
import type { VoxelGrid } from '../volumes'

const outlined = ['lesions', 'lungs'] as const
/** What a diagnosis outlines. */
export type Outlined = (typeof outlined)[number]

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
  const masks = diagnosis.slices.map((slice) => maskOf(slice, what))
  if (masks.includes(undefined)) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      what === 'lungs'
        ? 'the diagnosis has no lungs: it was made without a lung model, or its slices could not be measured'
        : 'the diagnosis has no lesions: its classifier found the case negative, and nothing was segmented',
    )
  }
  const grid = await scan.voxelGrid()
  return encodeNifti(
    volumeOf(masks as Uint8Array[], grid),
    grid,
    `${what}; research use, not a medical device`,
  )
}

function maskOf(slice: DiagnosedSlice, what: Outlined): Uint8Array | undefined {
  return what === 'lungs' ? slice.lungMask : slice.segmentation?.mask
}

function volumeOf(masks: readonly Uint8Array[], { slices, first, strides }: VoxelGrid): Uint8Array {
  const { width, height, count } = slices
  if (masks.length !== count || masks.some(({ length }) => length !== width * height))
    throw new JcsError('INVALID_ARGUMENT', 'the slices of the case are not those that were diagnosed')
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
