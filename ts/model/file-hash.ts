import { createHash, webcrypto } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'

/** SHA-256 of a model file as hexadecimal digits; undefined when it is not any more what was loaded. */
export type FileHash = () => Promise<string | undefined>

/** Read when it is first asked for: of a file it takes as long as reading it once more. */
export async function hashOfFile(path: string): Promise<FileHash> {
  const loaded = await identityOf(path)
  let hash: Promise<string | undefined> | undefined
  return () => {
    hash ??= (async () => {
      if ((await identityOf(path)) !== loaded) return undefined
      const sum = createHash('sha256')
      for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 18 })) sum.update(chunk)
      return sum.digest('hex')
    })().catch(() => undefined)
    return hash
  }
}

/** Bytes are the caller's: they are read now. */
export function hashOfBytes(bytes: Uint8Array): FileHash {
  const digest = webcrypto.subtle.digest('SHA-256', bytes)
  const hash = digest.then((sum) => Buffer.from(sum).toString('hex'))
  hash.catch(() => {})
  return () => hash
}

async function identityOf(path: string): Promise<string> {
  const { size, mtimeMs, ino } = await stat(path)
  return `${size} ${mtimeMs} ${ino}`
}
