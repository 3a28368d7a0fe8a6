import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port'

const program = '/usr/bin/redis-server'

/** The reason for a test to be skipped, or false. */
export const redisMissing = existsSync(program)
  ? false
  : 'Redis is not installed; `npm run setup -- --test` installs the Debian package redis-server'

export interface RedisServer extends AsyncDisposable {
  url: string
  /** Ends it as a power failure would, and starts it on what lies on its disk. */
  killAndRestart: () => Promise<void>
}

/** A Redis on loopback that has written what it has acknowledged, with its data in `directory`. */
export async function startRedis(directory: string): Promise<RedisServer> {
  mkdirSync(directory, { recursive: true })
  const port = await freePort()
  const start = async (): Promise<ChildProcess> => {
    const server = spawn(program, [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', ''],
      ...['--appendonly', 'yes', '--appendfsync', 'always', '--loglevel', 'warning'],
    ])
    for (let tries = 0; !(await answersPing(port)); tries++) {
      if (tries === 200 || server.exitCode !== null) throw new Error('Redis does not start')
      await sleep(20)
    }
    return server
  }
  const kill = async (): Promise<void> => {
    const ended = once(server, 'exit')
    server.kill('SIGKILL')
    await ended
  }
  let server = await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    async killAndRestart() {
      await kill()
      server = await start()
    },
    [Symbol.asyncDispose]: kill,
  }
}

/** While it reads its file it answers that it is loading. */
async function answersPing(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    socket.write('PING\r\n')
    const [answer] = await once(socket, 'data')
    return String(answer) === '+PONG\r\n'
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
