import { constants, gunzipSync } from 'node:zlib'
import { isDicom } from '../dicom'

/** Formats that are read, each by a row of the table of decoders. */
export type ImageFormat = 'PNG' | 'JPEG' | 'TIFF' | 'DICOM' | 'NIfTI'

/** Enough of a file's head to recognise every format, a gzipped NIfTI header included. */
export const sniffLength = 4096

function hasBytes(head: Uint8Array, offset: number, text: string): boolean {
  return (
    Buffer.from(head.buffer, head.byteOffset, head.length).toString(
      'latin1',
      offset,
      offset + text.length,
    ) === text
  )
}

function isTiff(head: Uint8Array): boolean {
  // Classic and BigTIFF, little and big endian.
  return ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].some((magic) => hasBytes(head, 0, magic))
}

function isNifti(head: Uint8Array): boolean {
  const isHeader = (bytes: Uint8Array) =>
    hasBytes(bytes, 344, 'n+1\0') || hasBytes(bytes, 344, 'ni1\0') || hasBytes(bytes, 4, 'n+2\0\r\n\x1a\n')
  if (isHeader(head)) return true
  if (!hasBytes(head, 0, '\x1f\x8b')) return false
  try {
    // The head of a compressed file ends anywhere, hence the flush; the bound stops a decompression bomb.
    const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 16 * 1024 * 1024 }
    return isHeader(gunzipSync(head, options))
  } catch {
    return false
  }
}

/** The format that the first `sniffLength` bytes of a file declare, or undefined. */
export function sniff(head: Uint8Array): ImageFormat | undefined {
  if (hasBytes(head, 0, '\x89PNG\r\n\x1a\n')) return 'PNG'
  if (hasBytes(head, 0, '\xff\xd8\xff')) return 'JPEG'
  if (isTiff(head)) return 'TIFF'
  if (isNifti(head)) return 'NIfTI'
  if (isDicom(head)) return 'DICOM'
  return undefined
}
