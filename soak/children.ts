import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** How a program ended, and what it printed. */
export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  lines: string[]
  errors: string
}

export interface Child {
  process: ChildProcess
  ended: Promise<Ended>
}

/** One that takes longer hangs. */
const longestMs = 120_000

/** Starts a program, given relative to soak/children; a hanging one ends by SIGABRT. */
export function startChild(
  program: string,
  args: readonly string[],
  { env = {}, onLine }: { env?: Record<string, string>; onLine?: (line: string) => void } = {},
): Child {
  // NODE_OPTIONS has the hooks of whoever started this.
  const child = spawn(process.execPath, [join(__dirname, 'children', program), ...args], {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: longestMs,
    killSignal: 'SIGABRT',
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    onLine?.(line)
  })
  let errors = ''
  child.stderr.on('data', (text) => {
    errors += text
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, lines, errors }) as Ended)
  return { process: child, ended }
}
