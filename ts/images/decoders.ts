import { JcsError } from '../base/errors'
import { inspectRaster, openRaster } from './raster'
import { sniff } from './sniff'
import type { Decoder } from './types'

const decoders: readonly Decoder[] = [
  {
    name: 'sharp',
    matches: (format) => ['PNG', 'JPEG', 'TIFF'].includes(format),
    open: openRaster,
    inspect: inspectRaster,
  },
]

/** The decoder for the content that `head`, the first bytes of a source, declares. */
export function findDecoder(head: Uint8Array, name: string): Decoder {
  if (head.length === 0) throw new JcsError('CORRUPT_FILE', `${name} is empty`)
  const format = sniff(head)
  const decoder = format && decoders.find((candidate) => candidate.matches(format))
  if (decoder) return decoder
  if (format) {
    throw new JcsError(
      'UNSUPPORTED_FORMAT',
      `${name} is a ${format} file; reading ${format} comes with a later version. Convert it to PNG or TIFF, or pass decoded pixels`,
    )
  }
  throw new JcsError(
    'UNSUPPORTED_FORMAT',
    `${name} is not a PNG, JPEG or TIFF image (its content says so, whatever its name)`,
  )
}
