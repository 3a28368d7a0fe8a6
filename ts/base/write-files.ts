import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { writeError } from './errors'

/**
 * Writes a file whole or not at all: readers see the old one or the new one, also after a crash or on a full disk.
 *
 * @throws JcsError FILE_UNWRITABLE, DISK_FULL
 */
export async function writeFileAtomically(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path).slice(0, 100)}.${randomUUID()}.tmp`)
  try {
    const file = await open(temporary, 'wx')
    try {
      await file.writeFile(data)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw writeError(error, path)
  }
}

/** Makes a directory and those above it. @throws JcsError FILE_UNWRITABLE, DISK_FULL */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (error) {
    throw writeError(await whyNotMade(path, error), path)
  }
}

/**
 * Of directories on the way that could not be made, on a full disk for one, Node says no more than that they are not there
 * (ENOENT). Asked for the first of these alone, it says why.
 */
async function whyNotMade(path: string, error: unknown): Promise<unknown> {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error
  let missing = resolve(path)
  while (!existsSync(dirname(missing))) missing = dirname(missing)
  return mkdir(missing).then(
    () => error,
    (reason: unknown) => reason,
  )
}

/** Makes a directory that can be written, which is found out now rather than after an epoch. */
export async function makeWritableDirectory(path: string): Promise<void> {
  await makeDirectory(path)
  // One name for all: what a killed process leaves, the next one takes away.
  const probe = join(path, '.jcs-write-test')
  try {
    const file = await open(probe, 'w')
    await file.close()
  } catch (error) {
    throw writeError(error, path)
  } finally {
    await rm(probe, { force: true }).catch(() => {})
  }
}
