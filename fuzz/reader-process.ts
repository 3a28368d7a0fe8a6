import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Fuzzed, FuzzTask } from './outcome'

/** Twenty files that take longer hang. */
const longestMs = 120_000

/** In a process of its own, which may hang or crash. */
export async function fuzzReader({ build, name, runs, seed }: FuzzTask): Promise<Fuzzed> {
  const folder = mkdtempSync(join(tmpdir(), 'jcs-fuzz-'))
  const current = join(folder, 'current')
  const child = spawn(
    process.execPath,
    [
      ...['--import', 'tsx', join(__dirname, 'guided.ts')],
      ...[name, String(runs), String(seed), join(build, 'corpus', name), current],
    ],
    { env: { ...process.env, NODE_OPTIONS: '' }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let timer = setTimeout(() => child.kill('SIGKILL'), longestMs)
  let reached = { done: 0, pieces: 0 }
  createInterface({ input: child.stdout }).on('line', (line) => {
    reached = JSON.parse(line)
    clearTimeout(timer)
    timer = setTimeout(() => child.kill('SIGKILL'), longestMs)
  })
  let errors = ''
  child.stderr.on('data', (text) => {
    errors += text
  })
  const [code, signal] = await once(child, 'close')
  clearTimeout(timer)
  const failures: string[] = []
  if (code !== 0) {
    const folderOfFailures = join(build, 'failures')
    mkdirSync(folderOfFailures, { recursive: true })
    const file = join(folderOfFailures, `${name}-${Date.now()}`)
    if (existsSync(current)) copyFileSync(current, file)
    failures.push(`${signal ?? code}: ${errors.slice(0, 500)} ${file}`)
  }
  rmSync(folder, { recursive: true })
  return { done: reached.done, pieces: reached.pieces, failures }
}
