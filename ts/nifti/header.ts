import { JcsError } from '../base/errors'
import type { Affine } from '../volumes'

/** The package is a module alone, whose types a plain import cannot name here. */
type Nifti = Awaited<ReturnType<typeof loadReader>>
type Header = ReturnType<Nifti['readHeader']>

const loadReader = () => import('nifti-reader-js')

/** What a NIfTI-1 or -2 file says of its volume. A plain value: it crosses threads. */
export interface NiftiHeader {
  /** Voxels along i, j and k. */
  size: [number, number, number]
  datatype: DatatypeCode
  isLittleEndian: boolean
  /** Of the first voxel in the file, which may be compressed. */
  offset: number
  slope: number
  intercept: number
  /** To the patient's coordinates as DICOM has them: x to the left, y to the back, z to the head. */
  affine?: Affine
  /** Distances of voxels along i, j and k, mm. */
  spacing: [number, number, number]
}

/** What voxels are read as, by the code of their type. */
export const voxelArrays = {
  2: Uint8Array,
  4: Int16Array,
  8: Int32Array,
  16: Float32Array,
  64: Float64Array,
  256: Int8Array,
  512: Uint16Array,
  768: Uint32Array,
} as const
export type DatatypeCode = keyof typeof voxelArrays

/** A volume of more voxels is not decoded: it would take more than 2 GiB. */
const maxVoxels = 2 ** 30

/** Enough for either version's header. */
export const headerBytes = 540

/** @throws JcsError UNSUPPORTED_FORMAT, INPUT_TOO_LARGE, CORRUPT_FILE */
export async function parseHeader(head: Uint8Array, name: string, maxPixels: number): Promise<NiftiHeader> {
  const { isNIFTI, readHeader } = await loadReader()
  const { buffer } = new Uint8Array(head)
  if (!isNIFTI(buffer)) {
    throw new JcsError(
      'UNSUPPORTED_FORMAT',
      `${name} is one half of a pair of files (.hdr and .img), which are not read; convert it to .nii`,
    )
  }
  let header: Header
  try {
    header = readHeader(buffer)
  } catch (error) {
    throw new JcsError('CORRUPT_FILE', `${name} cannot be decoded: ${(error as Error).message}`, {
      cause: error,
    })
  }
  return describe(header, new DataView(buffer), name, maxPixels)
}

function describe(header: Header, view: DataView, name: string, maxPixels: number): NiftiHeader {
  const [dimensions = 0, ni = 1, nj = 1, nk = 1, ...more] = header.dims.map(Number)
  const size: NiftiHeader['size'] = [ni, nj, dimensions > 2 ? nk : 1]
  if (dimensions < 2 || dimensions > 7 || size.some((voxels) => !Number.isInteger(voxels) || voxels < 1))
    throw new JcsError(
      'CORRUPT_FILE',
      `${name} claims ${dimensions} dimensions of ${size.join(' x ')} voxels`,
    )
  const others = more.slice(0, Math.max(dimensions - 3, 0)).filter((voxels) => voxels > 1)
  if (others.length > 0) {
    throw new JcsError(
      'UNSUPPORTED_FORMAT',
      `${name} has ${dimensions} dimensions (${[...size, ...others].join(' x ')} voxels): several volumes. A case is one; take it out, for example with fslroi`,
    )
  }
  if (ni * nj > maxPixels || ni * nj * size[2] > maxVoxels) {
    throw new JcsError(
      'INPUT_TOO_LARGE',
      `${name} claims ${size.join(' x ')} voxels; at most ${maxPixels} a slice (option maxPixels) and ${maxVoxels} in all are accepted`,
    )
  }
  if (!Object.hasOwn(voxelArrays, header.datatypeCode)) {
    throw new JcsError(
      'UNSUPPORTED_FORMAT',
      `${name} has voxels of the type ${header.datatypeCode}; integers up to 32 bits and floats are read`,
    )
  }
  const offset = Number(header.vox_offset)
  if (!Number.isInteger(offset) || offset < 0)
    throw new JcsError('CORRUPT_FILE', `${name} begins at byte ${offset}`)
  const isScaled =
    header.scl_slope !== 0 && Number.isFinite(header.scl_slope) && Number.isFinite(header.scl_inter)
  const affine = affineOf(header, view)
  const mm = millimetresPerUnit(header.xyzt_units)
  return {
    size,
    datatype: header.datatypeCode as DatatypeCode,
    isLittleEndian: header.littleEndian,
    offset,
    slope: isScaled ? header.scl_slope : 1,
    intercept: isScaled ? header.scl_inter : 0,
    ...(affine && { affine: affine.map((row) => row.map((value) => value * mm)) as Affine }),
    spacing: [1, 2, 3].map((axis) => Math.abs(header.pixDims[axis] ?? 0) * mm) as NiftiHeader['spacing'],
  }
}

/** Units of space: metres, millimetres or micrometres; millimetres where nothing is said. */
function millimetresPerUnit(units: number): number {
  const unit = units & 7
  return unit === 1 ? 1000 : unit === 3 ? 0.001 : 1
}

/**
 * The sform where there is one, else the qform, as nibabel and most others choose; nothing where neither is. NIfTI's x
 * and y run to the right and the front (nifti1.h, "3D IMAGE (VOLUME) ORIENTATION AND LOCATION IN SPACE").
 */
function affineOf(header: Header, view: DataView): Affine | undefined {
  const affine =
    header.sform_code > 0 ? sform(header, view) : header.qform_code > 0 ? qform(header) : undefined
  if (!affine?.flat().every(Number.isFinite)) return undefined
  const [x, y, z] = affine
  const patient: Affine = [x.map((value) => -value), y.map((value) => -value), z]
  return determinant(patient) === 0 ? undefined : patient
}

/** From the bytes: the reader's matrix is that of the qform where the file has both and likes that better. */
function sform({ littleEndian, magic }: Header, view: DataView): Affine {
  const value = (index: number) =>
    magic.startsWith('n+2')
      ? view.getFloat64(400 + 8 * index, littleEndian)
      : view.getFloat32(280 + 4 * index, littleEndian)
  return [0, 1, 2].map((row) => [0, 1, 2, 3].map((column) => value(4 * row + column))) as Affine
}

function qform(header: Header): Affine {
  const { quatern_b: b, quatern_c: c, quatern_d: d, pixDims } = header
  const a = Math.sqrt(Math.max(0, 1 - (b * b + c * c + d * d)))
  const [, di = 1, dj = 1, dk = 1] = pixDims
  const qfac = (pixDims[0] ?? 1) < 0 ? -1 : 1
  const rotation = [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
  ]
  const offset = [header.qoffset_x, header.qoffset_y, header.qoffset_z]
  return rotation.map(([i = 0, j = 0, k = 0], row) => [i * di, j * dj, k * dk * qfac, offset[row]!]) as Affine
}

function determinant([[a = 0, b = 0, c = 0], [d = 0, e = 0, f = 0], [g = 0, h = 0, i = 0]]: Affine): number {
  return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
}
