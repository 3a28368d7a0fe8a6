import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { JcsError } from '../base/errors'

/**
 * Holds a directory for one process of this machine: by an abstract socket (unix(7)), which ends with the process that
 * has it, however that ends. A file would stay.
 *
 * @throws JcsError BUSY when another process has it
 */
export async function holdAlone(directory: string): Promise<Disposable> {
  const name = createHash('sha256')
    .update(await realpath(directory))
    .digest('hex')
  const server = createServer((socket) => socket.destroy())
  await listen(server, `\0jcs-watch-${name}`, directory)
  server.unref()
  return { [Symbol.dispose]: () => void server.close() }
}

function listen(server: Server, path: string, directory: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new JcsError(
              'BUSY',
              `another process watches with the state in '${directory}'; give each a directory of its own`,
            )
          : error,
      ),
    )
    server.listen({ path, exclusive: true }, resolve)
  })
}
