import { JcsError } from '../base/errors'
import { inspectDicom, openDicom } from './dicom'
import { inspectRaster, openRaster } from './raster'
import { type ImageFormat, sniff } from './sniff'
import type { Decoder } from './types'

const decoders: readonly Decoder[] = [
  { formats: ['PNG', 'JPEG', 'TIFF'], open: openRaster, inspect: inspectRaster },
  { formats: ['DICOM'], open: openDicom, inspect: inspectDicom },
]

export function findDecoder(format: ImageFormat): Decoder {
  return decoders.find(({ formats }) => formats.includes(format))!
}

/** The format that `head`, the first bytes of a source, declares. Throws for what no decoder reads. */
export function formatOf(head: Uint8Array, name: string): ImageFormat {
  if (head.length === 0) throw new JcsError('CORRUPT_FILE', `${name} is empty`)
  const format = sniff(head)
  if (format && decoders.some(({ formats }) => formats.includes(format))) return format
  if (format) {
    throw new JcsError(
      'UNSUPPORTED_FORMAT',
      `${name} is a ${format} file; reading ${format} comes with a later version. Convert it to PNG or TIFF, or pass decoded pixels`,
    )
  }
  throw new JcsError(
    'UNSUPPORTED_FORMAT',
    `${name} is not a PNG, JPEG, TIFF or DICOM image (its content says so, whatever its name)`,
  )
}
