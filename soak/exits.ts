import { startChild } from './children'
import type { Subject } from './subject'

const kinds = ['classify', 'train'] as const
/** From before the network is made until it has run some hundred times. */
const longestMs = 500

export const exits: Subject = {
  name: 'exits',
  promise:
    'Processes exit while they prepare a network, classify or train: with their own exit code, by no signal.',
  times: { short: 20, full: 1000 },
  async run(times, onProgress) {
    for (let done = 0; done < times; done++) {
      const kind = kinds[done % kinds.length]!
      const afterMs = Math.round(Math.random() * longestMs)
      const { code, signal, errors } = await startChild('work.mjs', [kind, String(afterMs)]).ended
      if (code !== 3)
        return { done, failures: [`A process at ${kind}, after ${afterMs} ms: ${signal ?? code} ${errors}`] }
      onProgress(done + 1)
    }
    return { done: times, failures: [] }
  },
}
