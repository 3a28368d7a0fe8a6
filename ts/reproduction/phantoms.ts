import { generateCase, generateDataset, type PhantomSample } from '../phantom'
import { Random } from '../phantom/random'

/** Side of the slices, pixels, and what classifiers see. */
export const phantomSize = 96

/** In parts, so that an interrupt is heard: drawing holds the event loop. */
const patientsAtATime = 10

/** Slices of synthetic patients with masks; those of another purpose are of other patients. */
export async function drawSlices(
  purpose: string,
  patients: number,
  signal: AbortSignal,
): Promise<PhantomSample[]> {
  const random = new Random(0, 'reproduction', purpose)
  const samples: PhantomSample[] = []
  for (let drawn = 0; drawn < patients; drawn += patientsAtATime) {
    await new Promise(setImmediate)
    signal.throwIfAborted()
    const cases = Math.min(patientsAtATime, patients - drawn)
    samples.push(...generateDataset(random.uint32(), { cases, size: phantomSize }))
  }
  return samples
}

/** Whole cases, every other one infected, as samples that name their patient. */
export async function drawCases(count: number, slices: number, signal: AbortSignal) {
  const samples = []
  for (let index = 0; index < count; index++) {
    await new Promise(setImmediate)
    signal.throwIfAborted()
    const infected = index % 2 === 0
    const seed = new Random(0, 'reproduction', 'case', index).uint32()
    const phantom = generateCase(seed, { infected, slices, size: phantomSize })
    for (const { pixels, infected: label } of phantom.slices)
      samples.push({
        image: pixels,
        label: label ? (1 as const) : (0 as const),
        patient: `phantom ${index + 1}`,
      })
  }
  return samples
}
