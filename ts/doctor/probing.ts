import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { packageRoot } from '../base/package-root'
import { type Probed, probedParts } from './probed-parts'

/** The compiled one also where the library runs from its sources. */
const probeFile = join(packageRoot, 'dist', 'doctor', 'probe.js')

const timeLimitMs = 60_000

/** Tries the native parts in a process of its own. What comes after a crash was not tried. */
export async function probe(file = probeFile): Promise<Probed> {
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), timeLimitMs)
  const texts = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text) => {
      texts[stream] += text
    })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  clearTimeout(timer)
  const lines = texts.stdout.split('\n').slice(0, -1) // whole ones
  const told = lines.map((line) => JSON.parse(line) as { part: string })
  const lastWords = texts.stderr.trim().split('\n').at(-1)
  const end = `its process ended with ${signal ?? `exit code ${code}`}${lastWords ? `: ${lastWords}` : ''}`
  return Object.fromEntries(
    probedParts.map((part, index) => [
      part,
      told.find((outcome) => outcome.part === part) ?? {
        error: { message: index === told.length ? end : 'not tried' },
      },
    ]),
  ) as unknown as Probed
}
