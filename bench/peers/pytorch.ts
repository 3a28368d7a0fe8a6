import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface PyTorchOptions {
  network: string
  batch: number
  size: number
  threads: number
}

/**
 * PyTorch in a process of its own that takes one training step per line it is sent. Its networks are those of
 * test/fixtures/torch_networks.py, at full width.
 */
export async function openPyTorch(python: string, options: PyTorchOptions) {
  const script = join(__dirname, 'pytorch_step.py')
  const child = spawn(python, [script, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${python} ${script} ended with ${code}`)))
  })
  ended.catch(() => {}) // raced below; the end after close() concerns nobody
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const answer = async (): Promise<string> => {
    const { value } = await Promise.race([lines.next(), ended])
    return value as string
  }
  return {
    version: await answer(),
    async step(precision: 'fp32' | 'bf16'): Promise<void> {
      child.stdin.write(`${precision}\n`)
      await answer()
    },
    close: () => child.stdin.end(),
  }
}
