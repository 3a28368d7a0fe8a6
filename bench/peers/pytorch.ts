import { execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface PyTorchOptions {
  network: string
  batch: number
  size: number
  threads: number
  /** Of inference. */
  mode?: 'eager' | 'compiled'
}

interface Answer {
  peakBytes?: number
  error?: string
}

export type PyTorch = Awaited<ReturnType<typeof openPyTorch>>

/**
 * PyTorch in a process of its own that does its work once per line it is sent: `pytorch_step.py` a training step in the
 * precision that the line names, `pytorch_inference.py` a run. Its networks are those of
 * test/fixtures/torch_networks.py, at full width. Rejects with the reason when it cannot prepare itself.
 */
export async function openPyTorch(
  python: string,
  script: 'pytorch_step.py' | 'pytorch_inference.py',
  options: PyTorchOptions,
) {
  // What compilers have to say concerns nobody; what stops the peer comes as an answer.
  const child = spawn(python, [join(__dirname, script), JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`${script} ended with ${code ?? signal}`)))
  })
  ended.catch(() => {}) // raced below; the end after close() concerns nobody
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const answer = async (): Promise<Answer> => {
    const { value, done } = await Promise.race([lines.next(), ended])
    return done ? await ended : (JSON.parse(value) as Answer)
  }
  const first = await answer()
  if (first.error !== undefined) throw new Error(first.error)
  return {
    /** What was resident of the process at most once it had run for the first time. */
    peakBytes: first.peakBytes,
    async run(line = ''): Promise<void> {
      child.stdin.write(`${line}\n`)
      await answer()
    },
    close: () => child.stdin.end(),
  }
}

/** PyTorch's version; undefined, with a line that says why, where that Python has none. */
export function pytorchVersion(python: string | undefined): string | undefined {
  if (python === undefined) {
    console.log('PyTorch is left out: --python PATH names a Python that has it')
    return undefined
  }
  try {
    const command = ['-c', 'import torch; print(torch.__version__)']
    return execFileSync(python, command, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    console.log(`PyTorch is left out: '${python}' does not run or has no torch`)
    return undefined
  }
}

/** The peer, or nothing, with a line that says why, where it cannot be had. */
export async function openIfPossible(
  python: string | undefined,
  ...rest: Parameters<typeof openPyTorch> extends [string, ...infer Rest] ? Rest : never
): Promise<PyTorch | undefined> {
  if (python === undefined) return undefined
  try {
    return await openPyTorch(python, ...rest)
  } catch (error) {
    const { mode } = rest[1]
    console.log(`  PyTorch ${mode ?? ''} is left out: ${error instanceof Error ? error.message : error}`)
    return undefined
  }
}
