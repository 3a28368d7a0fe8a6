import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** SHA-256 of a value as JSON, in hexadecimal digits. */
export const hashJson = (value) => createHash('sha256').update(JSON.stringify(value)).digest('hex')

export async function hashFile(path) {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

/** Of a file, or of all files below a directory with their names there, which order pictures. */
export async function hashCase(path) {
  if (!(await stat(path)).isDirectory()) return hashFile(path)
  const files = []
  for (const name of (await readdir(path, { recursive: true })).sort()) {
    const file = join(path, name)
    if ((await stat(file)).isFile()) files.push([name, await hashFile(file)])
  }
  return hashJson(files)
}
