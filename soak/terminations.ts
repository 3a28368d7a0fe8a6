import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { classify, createModel, generateCase } from 'jcs-ct'
import { judgeMemory, residentMiB } from './memory'
import type { Subject } from './subject'

/** At once, so that others go on when one ends. */
const kinds = ['classify', 'train', 'classify'] as const
const longestMs = 500
/** So few are still loading what all of them use. */
const allowedGrowth = (times: number): number => (times < 500 ? 1.25 : 1.05)

export const terminations: Subject = {
  name: 'terminations',
  promise:
    'Worker threads are terminated while they classify or train, others at work beside them: the process lives, what is asked of it afterwards is answered as before, and its memory does not grow by more than 5 %.',
  // The allocator has a share of memory for each of many threads, which fills over the first few hundred: of 1000 a fifth
  // is too early (memory grew by 5.4 %), of 3000 it is not (by 1.3 and 2.0 %).
  times: { short: 12, full: 3000 },
  async run(times, onProgress) {
    await using model = await createModel({ network: 'res2net50-v1b', width: 0.125 }, { seed: 4 })
    const slices = generateCase(1, { infected: true, slices: 4, size: 64 }).slices.map(({ pixels }) => pixels)
    const answer = async () =>
      JSON.stringify((await classify(model, slices)).map(({ probability }) => probability))
    const expected = await answer()
    const sizesMiB: number[] = []
    let done = 0
    while (done < times) {
      await Promise.all(kinds.map(terminateOne))
      done += kinds.length
      if ((await answer()) !== expected)
        return {
          done,
          failures: ['The same slices were answered differently after a worker was terminated.'],
        }
      sizesMiB.push(residentMiB())
      onProgress(done)
    }
    return { done, ...judgeMemory(sizesMiB, allowedGrowth(times)) }
  },
}

async function terminateOne(kind: string): Promise<void> {
  const worker = new Worker(join(__dirname, 'children', 'work.mjs'), { argv: [kind, '100000'], execArgv: [] })
  await once(worker, 'online')
  await sleep(Math.random() * longestMs)
  await worker.terminate()
}
