import {
  classify,
  generateCase,
  JcsError,
  type Model,
  type Network,
  type PhantomSlice,
  segment,
  type Task,
  train,
} from 'jcs-ct'
import { judgeMemory, residentMiB } from './memory'
import type { Subject } from './subject'

const samples = 200
/** The first calls compile and load what the later ones use: fewer than ten thousand show only what leaks fast. */
const allowedGrowth = (times: number): number => (times < 10_000 ? 1.25 : 1.05)

export const calls: Subject = {
  name: 'calls',
  promise:
    'A process classifies and segments again and again, a tenth of the calls cancelled midway: its memory does not grow by more than 5 %.',
  times: { short: 2000, full: 100_000 },
  async run(times, onProgress) {
    const slices = generateCase(1, { infected: true, slices: 3, size: 64 }).slices
    const pixels = slices.map((slice) => slice.pixels)
    await using classifier = await smallModel('classification', 'res2net50-v1b', slices)
    await using segmenter = await smallModel('segmentation', 'jcs-segmentation', slices)
    const every = Math.ceil(times / samples)
    const sizesMiB: number[] = []
    for (let done = 0; done < times; done++) {
      const signal = done % 10 === 9 ? AbortSignal.timeout(1) : undefined
      const run =
        done % 2 === 0
          ? classify(classifier, pixels, { explain: done % 8 === 0, signal })
          : segment(segmenter, pixels, { signal })
      try {
        await run
      } catch (error) {
        if (!(error instanceof JcsError && error.code === 'CANCELLED')) throw error
      }
      if (done % every !== 0) continue
      sizesMiB.push(residentMiB())
      onProgress(done)
    }
    return { done: times, ...judgeMemory(sizesMiB, allowedGrowth(times)) }
  },
}

/** Of slices of 64², whose calls take milliseconds; trained for a step, since training decides the input's size. */
async function smallModel(task: Task, network: Network, slices: readonly PhantomSlice[]): Promise<Model> {
  const samples = slices.map(({ pixels, lesionMask }, index) => ({
    image: pixels,
    label: index === 0 ? (0 as const) : (1 as const),
    mask: { data: lesionMask, width: pixels.width, height: pixels.height },
  }))
  const { model } = await train({
    task,
    spec: { network, width: 0.05 },
    data: { train: samples },
    recipe: 'scratch',
    batchSize: slices.length,
    inputSize: slices[0]!.pixels.width,
    iterations: 1,
    seed: 1,
  })
  return model
}
