// Results by key: each is written once, whole, and never changed, whoever tries how often.
import { randomUUID } from 'node:crypto'
import { access, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

export function hasResult(root, key) {
  return access(join(root, key)).then(
    () => true,
    () => false,
  )
}

/** @returns whether this call was the one that published it */
export async function publishResult(root, key, files) {
  const temporary = join(root, `.${key}.${randomUUID()}`)
  await mkdir(temporary, { recursive: true })
  try {
    for (const [name, data] of Object.entries(files)) await writeDurably(join(temporary, name), data)
    // A directory that holds something is never replaced: of two workers with the same case the first one wins.
    await rename(temporary, join(root, key))
    await sync(root)
    return true
  } catch (error) {
    if (await hasResult(root, key)) return false
    throw error
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/** Removes what killed workers left behind. */
export async function removeAbandoned(root, olderThanMs = 3_600_000) {
  await mkdir(root, { recursive: true })
  for (const name of await readdir(root)) {
    if (!name.startsWith('.')) continue
    const path = join(root, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }))
    if (mtimeMs < Date.now() - olderThanMs) await rm(path, { recursive: true, force: true })
  }
}

async function writeDurably(path, data) {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(data)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** A new name survives a power failure only once its directory is on the disk. */
async function sync(directory) {
  const handle = await open(directory)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
