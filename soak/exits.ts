import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { startChild } from './children'
import type { Subject } from './subject'

const kinds = ['classify', 'train'] as const
const longestMs = 500
/** At once, so that those which go on are there when one ends. */
const workersAtOnce = 3

export const exits: Subject = {
  name: 'exits',
  promise: 'Processes exit while they classify or train: with their own exit code, by no signal, in time.',
  times: { short: 6, full: 1000 },
  async run(times, onProgress) {
    for (let done = 0; done < times; done++) {
      const kind = kinds[done % kinds.length]!
      const child = startChild('work.mjs', [kind, String(Math.round(Math.random() * longestMs))])
      const late = AbortSignal.timeout(30_000)
      late.addEventListener('abort', () => child.process.kill('SIGKILL'))
      const { code, signal, errors } = await child.ended
      if (code !== 3)
        return {
          done,
          failures: [`A process that was to exit in ${kind} ended with ${signal ?? code}: ${errors}`],
        }
      onProgress(done + 1)
    }
    return { done: times, failures: [] }
  },
}

export const terminations: Subject = {
  name: 'terminations',
  promise:
    'Worker threads are terminated while they classify or train, others at work beside them: the process lives, what is asked of it afterwards is answered as before, and memory stays.',
  times: { short: 12, full: 1000 },
  async run(times, onProgress) {
    const { classify, createModel, generateCase } = await import('jcs-ct')
    await using model = await createModel({ network: 'res2net50-v1b', width: 0.125 }, { seed: 4 })
    const slices = generateCase(1, { infected: true, slices: 4, size: 64 }).slices.map(({ pixels }) => pixels)
    const answer = async () =>
      JSON.stringify((await classify(model, slices)).map(({ probability }) => probability))
    const expected = await answer()
    const sizes: number[] = []
    for (let done = 0; done < times; done += workersAtOnce) {
      await Promise.all(Array.from({ length: workersAtOnce }, (_, i) => terminateOne(kinds[(done + i) % 2]!)))
      if ((await answer()) !== expected)
        return {
          done,
          failures: ['The same slices were answered differently after a worker was terminated.'],
        }
      globalThis.gc?.()
      sizes.push(process.memoryUsage.rss() / 2 ** 20)
      onProgress(Math.min(times, done + workersAtOnce))
    }
    return { done: times, failures: [], figures: growthOf(sizes) }
  },
}

async function terminateOne(kind: string): Promise<void> {
  const worker = new Worker(join(__dirname, 'children', 'work.mjs'), { argv: [kind, '100000'], execArgv: [] })
  await once(worker, 'online')
  await sleep(Math.random() * longestMs)
  await worker.terminate()
}

/** Resident memory after a fifth of all, when everything has been loaded, and at the end; medians of a tenth of them. */
export function growthOf(sizesMiB: readonly number[]): Record<string, number> {
  const tenth = Math.max(1, Math.floor(sizesMiB.length / 10))
  const medianOf = (from: number) => {
    const some = sizesMiB.slice(from, from + tenth).sort((a, b) => a - b)
    return Math.round(some[some.length >> 1]!)
  }
  return {
    'MiB after a fifth': medianOf(Math.floor(sizesMiB.length / 5)),
    'MiB at the end': medianOf(sizesMiB.length - tenth),
  }
}
