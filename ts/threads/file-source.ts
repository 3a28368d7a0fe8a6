import { readHead, readWhole } from '../base/files'

/** Where a file's bytes are: on the disk, or in memory that threads share. */
export type FileSource = { path: string } | { bytes: Uint8Array }

/** Bytes are copied, to where threads read them in place. */
export function shareFile(file: FileSource): FileSource {
  if ('path' in file) return file
  const bytes = new Uint8Array(new SharedArrayBuffer(file.bytes.length))
  bytes.set(file.bytes)
  return { bytes }
}

/** @throws JcsError INPUT_TOO_LARGE beyond 1 GiB, and what reading a file gives */
export function readBytes(file: FileSource): Promise<Uint8Array> | Uint8Array {
  return 'path' in file ? readWhole(file.path) : file.bytes
}

/** The first bytes, `length` at most. */
export function readHeadOf(file: FileSource, length: number): Promise<Uint8Array> | Uint8Array {
  return 'path' in file ? readHead(file.path, length) : file.bytes.subarray(0, length)
}
