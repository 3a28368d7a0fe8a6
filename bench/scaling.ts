import { classify, createModel, type Model } from 'jcs-ct'
import { alternate, timed } from './harness'
import type { Job, Settings } from './job'
import type { EngineResult, Measurement } from './results'

const network = 'res2net50-v1b'
const size = 224
const counts = [1, 4, 16, 64, 300]
const quickCounts = [1, 4]
/** A sample of so many slices or more is an average by itself. */
const manySlices = 64

/** One measurement a number of slices and of threads: cost per slice should not depend on the former. */
export const scalingJobs = ({ threads, repetitions }: Settings): Job[] =>
  [...new Set([1, threads])].flatMap((threadCount) =>
    counts.map((slices) => {
      const name = `scaling/${network}/${slices}x${size}/${threadCount}-thread${threadCount > 1 ? 's' : ''}`
      return {
        name,
        quick: quickCounts.includes(slices),
        measure: () => measureScaling(name, slices, threadCount, repetitions),
      }
    }),
  )

/** Decoded slices of the network's size through `classify`, in batches as it makes them. */
async function measureScaling(
  name: string,
  slices: number,
  threads: number,
  repetitions: number,
): Promise<Measurement> {
  const images = Array.from({ length: slices }, (_, i) => ({
    data: Uint8Array.from({ length: size * size }, (_, pixel) => (pixel * (i + 7)) % 251),
    width: size,
    height: size,
  }))
  const models: Model[] = []
  try {
    for (const precision of ['fp32', 'bf16'] as const) {
      const model = await createModel(
        { network, variant: 'authors' },
        { device: 'cpu', precision, threads, seed: 1 },
      )
      if (model.precision === precision) models.push(model)
      else await model.dispose()
    }
    const spreads = await alternate(
      models.map((model) => {
        const sample = timed(() => classify(model, images))
        return { name: model.precision, sample: async () => (await sample()) / slices }
      }),
      { warmups: 1, repetitions: slices >= manySlices ? Math.min(repetitions, 3) : repetitions },
    )
    const results = models.map(
      ({ precision }): EngineResult => ({ engine: 'jcs-ct', precision, ...spreads.get(precision)! }),
    )
    return { name, kind: 'scaling', unit: 'ms per slice', network, batch: slices, size, results }
  } finally {
    for (const model of models) await model.dispose()
  }
}
