import { access, type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { JcsError, readError } from './errors'

/** Larger files are not read into memory: no image, mask or list is near it. */
export const maxFileBytes = 2 ** 30

/** Made when it is first used: that takes as long as loading a quarter of this library. */
let naturalOrder: Intl.Collator | undefined

/** Natural order ('slice2' before 'slice10'); the second comparison settles '1' against '01'. */
export function compareNames(a: string, b: string): number {
  naturalOrder ??= new Intl.Collator('en', { numeric: true })
  return naturalOrder.compare(a, b) || (a < b ? -1 : Number(a > b))
}

/** Opens an ordinary file. Devices and pipes are refused before opening: that alone could block for ever. */
async function openFile(path: string): Promise<FileHandle> {
  const stats = await stat(path)
  if (stats.isDirectory())
    throw new JcsError('FILE_UNREADABLE', `'${path}' is a directory where a file was expected`)
  if (!stats.isFile()) throw new JcsError('FILE_UNREADABLE', `'${path}' is neither a file nor a directory`)
  return open(path)
}

async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  let file: FileHandle | undefined
  try {
    file = await openFile(path)
    return await use(file)
  } catch (error) {
    throw readError(error, path)
  } finally {
    await file?.close()
  }
}

export function readHead(path: string, length: number): Promise<Uint8Array> {
  return withFile(path, async (file) => {
    const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, 0)
    return buffer.subarray(0, bytesRead)
  })
}

export function readWhole(path: string, maxBytes = maxFileBytes): Promise<Uint8Array> {
  return withFile(path, async (file) => {
    const { size } = await file.stat()
    if (size > maxBytes) {
      throw new JcsError(
        'INPUT_TOO_LARGE',
        `'${path}' has ${size} bytes; at most ${maxBytes} are read into memory`,
      )
    }
    return file.readFile()
  })
}

/** Whether there is something under this name that may be looked at. */
export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

export async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    throw readError(error, path)
  }
}

export interface DirectoryContent {
  files: string[]
  directories: string[]
}

/** Full paths of what a directory holds, links followed and hidden entries left out, in natural name order. */
export async function listDirectory(path: string): Promise<DirectoryContent> {
  const content: DirectoryContent = { files: [], directories: [] }
  try {
    const entries = await readdir(path)
    for (const name of entries.filter((entry) => !entry.startsWith('.')).sort(compareNames)) {
      const entryPath = join(path, name)
      const stats = await stat(entryPath)
      if (stats.isDirectory()) content.directories.push(entryPath)
      else if (stats.isFile()) content.files.push(entryPath)
    }
  } catch (error) {
    throw readError(error, path)
  }
  return content
}
