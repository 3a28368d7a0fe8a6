import { join } from 'node:path'
import { generateCase, type ModelSpec, type Pixels, type Sample } from '../../ts/index'

/** Networks and data small enough for tests. */
export const classifierSpec: ModelSpec = { network: 'res2net50-v1b', width: 0.125 }
export const segmenterSpec: ModelSpec = { network: 'jcs-segmentation', width: 0.125 }

export const repositoryRoot = join(__dirname, '../..')

export function smallSlices(count: number, seed = 1): Pixels[] {
  return generateCase(seed, { infected: true, slices: count, size: 64 }).slices.map(({ pixels }) => pixels)
}

/** As many infected as uninfected cases. */
export function smallSamples(cases = 2, slices = 4): Sample[] {
  return Array.from({ length: cases }, (_, seed) =>
    [true, false].flatMap((infected) =>
      generateCase(seed, { infected, slices, size: 64 }).slices.map(
        (slice): Sample => ({
          image: slice.pixels,
          label: slice.infected ? 1 : 0,
          mask: { data: slice.lesionMask, width: 64, height: 64 },
          patient: `${seed}-${infected}`,
        }),
      ),
    ),
  ).flat()
}

/** Settings of a training run of seconds. */
export const quick = { recipe: 'scratch', batchSize: 4, inputSize: 64, iterations: 3 } as const
