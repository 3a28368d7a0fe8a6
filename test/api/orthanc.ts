import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pacs } from '../../ts/index'
import { freePort } from './free-port'

const plugin = '/usr/share/orthanc/plugins/libOrthancDicomWeb.so'
const program = ['/usr/sbin/Orthanc', '/usr/bin/Orthanc', '/usr/local/bin/Orthanc'].find((path) =>
  existsSync(path),
)

/** The reason for a test to be skipped, or false. */
export const orthancMissing =
  program && existsSync(plugin)
    ? false
    : 'Orthanc is not installed; `npm run setup -- --test` installs the Debian packages orthanc and orthanc-dicomweb'

export interface Orthanc extends AsyncDisposable {
  /** Of DICOMweb, with what it wants to be shown. */
  pacs: Pacs
  authorization: string
}

/** A PACS on loopback, which wants a password, and whose data lies in `directory`. */
export async function startOrthanc(directory: string): Promise<Orthanc> {
  const storage = join(directory, 'storage')
  mkdirSync(storage, { recursive: true })
  const port = await freePort()
  const configuration = join(directory, 'orthanc.json')
  writeFileSync(
    configuration,
    JSON.stringify({
      StorageDirectory: storage,
      IndexDirectory: storage,
      HttpPort: port,
      RemoteAccessAllowed: false,
      AuthenticationEnabled: true,
      RegisteredUsers: { jcs: 'password' },
      DicomServerEnabled: false,
      Plugins: [plugin],
      DicomWeb: { Enable: true, Root: '/dicom-web/' },
    }),
  )
  const log: Buffer[] = []
  const server = spawn(program!, [configuration], { stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (chunk) => log.push(chunk))
  const authorization = `Basic ${Buffer.from('jcs:password').toString('base64')}`
  const url = `http://127.0.0.1:${port}/dicom-web`
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`${url}/studies?limit=1`, { headers: { authorization } }).catch(
      () => undefined,
    )
    if (answer?.ok) break
    if (tries === 200 || server.exitCode !== null)
      throw new Error(`Orthanc does not start: ${Buffer.concat(log)}`)
    await sleep(100)
  }
  return {
    pacs: { url, headers: { authorization } },
    authorization,
    async [Symbol.asyncDispose]() {
      await stop(server)
    },
  }
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return
  const ended = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGTERM')
  const killed = setTimeout(() => server.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(killed)
}
