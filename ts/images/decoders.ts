import { JcsError } from '../base/errors'
import { inspectDicom, openDicom } from './dicom'
import { inspectNifti, openNifti } from './nifti'
import { inspectRaster, openRaster } from './raster'
import { type ImageFormat, sniff } from './sniff'
import type { Decoder } from './types'

const decoders: readonly Decoder[] = [
  { formats: ['PNG', 'JPEG', 'TIFF'], open: openRaster, inspect: inspectRaster },
  { formats: ['DICOM'], open: openDicom, inspect: inspectDicom },
  { formats: ['NIfTI'], open: openNifti, inspect: inspectNifti },
]

export function findDecoder(format: ImageFormat): Decoder {
  return decoders.find(({ formats }) => formats.includes(format))!
}

/** The format that `head`, the first bytes of a source, declares. Throws for what is none that is read. */
export function formatOf(head: Uint8Array, name: string): ImageFormat {
  if (head.length === 0) throw new JcsError('CORRUPT_FILE', `${name} is empty`)
  const format = sniff(head)
  if (format) return format
  throw new JcsError(
    'UNSUPPORTED_FORMAT',
    `${name} is not a PNG, JPEG, TIFF, DICOM or NIfTI image (its content says so, whatever its name)`,
  )
}
