import { setTimeout as sleep } from 'node:timers/promises'
import { createModel, createService, generateCase, JcsError } from 'jcs-ct'
import { judgeMemory, residentMiB } from './memory'
import type { Subject } from './subject'

const limits = { maxActive: 8, maxQueue: 8 }
const places = limits.maxActive + limits.maxQueue
const callers = 10 * places
const samples = 200
/** The first requests load and compile what the later ones use. */
const allowedGrowth = (times: number): number => (times < 10_000 ? 1.25 : 1.05)

export const overload: Subject = {
  name: 'overload',
  promise: `Ten times as many callers as a service has places ask again at once: each is answered or told BUSY and when to come again, no more than ${places} are answered before one that was taken, and memory does not grow by more than 5 %.`,
  times: { short: 100, full: 10_000 },
  async run(times, onProgress) {
    await using model = await createModel({ network: 'res2net50-v1b', width: 0.05 }, { seed: 4 })
    await using service = await createService({ classifier: model, ...limits })
    const [slice] = generateCase(1, { infected: true, slices: 1, size: 64 }).slices
    const failures: string[] = []
    const sizesMiB: number[] = []
    const every = Math.ceil(times / samples)
    let answered = 0
    let refused = 0
    let mostBefore = 0
    let longestMs = 0
    const call = async () => {
      while (answered < times && failures.length === 0) {
        const [before, startMs] = [answered, performance.now()]
        try {
          await service.classify(slice!.pixels)
          mostBefore = Math.max(mostBefore, answered - before)
          longestMs = Math.max(longestMs, performance.now() - startMs)
          if (answered++ % every === 0) {
            sizesMiB.push(residentMiB())
            onProgress(answered)
          }
        } catch (error) {
          if (!(error instanceof JcsError && error.code === 'BUSY' && error.retryAfterMs! > 0)) throw error
          refused++
          await sleep(1) // sooner than it was told
        }
      }
    }
    await Promise.all(Array.from({ length: callers }, call))
    if (mostBefore > places) failures.push(`${mostBefore} were answered before one that was taken.`)
    if (refused < answered) failures.push(`${answered} were answered and only ${refused} refused.`)
    const { failures: grown, figures } = judgeMemory(sizesMiB, allowedGrowth(times))
    return {
      done: answered,
      failures: [...failures, ...grown],
      figures: {
        refused,
        'answered before one at most': mostBefore,
        'ms of one at most': Math.round(longestMs),
        ...figures,
      },
    }
  },
}
