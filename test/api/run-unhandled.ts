/** Run as a child process: prints which of its scenes end in unhandled rejections. */
import { setTimeout as delay } from 'node:timers/promises'
import { Run, type RunContext } from '../../ts/run/run'

const unhandled: string[] = []
process.on('unhandledRejection', (error) => unhandled.push((error as Error).message))

const working = async ({ emit, signal, throwIfCancelled }: RunContext): Promise<void> => {
  emit({ phase: 'decode', done: 1 })
  while (!signal.aborted) await delay(1)
  throwIfCancelled()
}
const failing = async ({ emit }: RunContext): Promise<void> => {
  emit({ phase: 'decode', done: 1 })
  await delay(1)
  throw new Error('ignored failure')
}

const scenes: Record<string, () => unknown> = {
  'break out of a loop': async () => {
    for await (const _ of new Run(working)) break
  },
  'throw out of a loop': async () => {
    const loop = async () => {
      for await (const _ of new Run(working)) throw new Error('from the loop body')
    }
    await loop().catch(() => {})
  },
  'cancel() that nobody awaits': () => new Run(working).cancel(),
  'abort signal that nobody awaits': () => void new Run(working, { signal: AbortSignal.timeout(5) }),
  'aborted before the start': () => void new Run(working, { signal: AbortSignal.abort() }),
  'failure met by a loop': async () => {
    const loop = async () => {
      for await (const _ of new Run(failing));
    }
    await loop().catch(() => {})
  },
  'failure met by await': async () => {
    const result = async () => await new Run(failing)
    await result().catch(() => {})
  },
  'failure that nobody looks at': () => void new Run(failing),
  'failing callback that nobody looks at': () =>
    void new Run(working, {
      onProgress: () => {
        throw new Error('callback failure')
      },
    }),
}

async function main() {
  const report: Record<string, string[]> = {}
  for (const [name, play] of Object.entries(scenes)) {
    await play()
    await delay(30)
    report[name] = unhandled.splice(0)
  }
  console.log(JSON.stringify(report))
}

main()
