import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeError } from './errors'

/** Gives `use` a directory that only this user can read, and removes it afterwards with all that is in it. */
export async function withTemporaryDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const prefix = join(tmpdir(), 'jcs-')
  const directory = await mkdtemp(prefix).catch((error) => {
    throw writeError(error, prefix)
  })
  try {
    return await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true }).catch(() => {})
  }
}
