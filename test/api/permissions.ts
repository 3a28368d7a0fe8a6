import { chmod, stat } from 'node:fs/promises'

/**
 * Runs `play` while `path` may be neither read nor entered. Root may read everything, so a test that runs as root
 * becomes another user meanwhile.
 */
export async function withoutPermission(path: string, play: () => Promise<void>): Promise<void> {
  const isRoot = process.getuid?.() === 0
  const { mode } = await stat(path)
  await chmod(path, 0)
  if (isRoot) process.seteuid?.(65534)
  try {
    await play()
  } finally {
    if (isRoot) process.seteuid?.(0)
    await chmod(path, mode)
  }
}
