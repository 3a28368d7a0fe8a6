import { classify } from '../classify'
import { createModel } from '../model'
import { generateCase, type PhantomPixels } from '../phantom'
import type { ProgressEvent } from '../run/progress'
import type { RunContext } from '../run/run'
import { segment } from '../segment'
import type { ReproductionPlan } from './options'
import { publishedTimes } from './published'

/** Table II: how long a case takes. */
export interface Times {
  experiment: 'table-2'
  title: string
  /** Of a case; the paper's has as many. */
  slices: number
  /** How many were timed; the rest is by proportion. */
  timed: number
  /** An uninfected case is classified. */
  classifyMs: number
  /** An infected one is outlined as well. */
  segmentMs: number
  device: string
  precision: string
  width: number
  published: typeof publishedTimes
}

const slicesOfCase = 300
const segmenterSize = 512

/** So many different slices are enough: what they show does not change how long they take. */
const differentSlices = 4

/**
 * Classifies and segments decoded slices of 512 × 512 with the paper's networks, from pixels to results, once to prepare
 * and once by the clock. Random weights take as long as trained ones.
 */
export async function timesOf({ runtime, budget }: ReproductionPlan, context: RunContext): Promise<Times> {
  const { signal } = context
  const onProgress = (event: ProgressEvent) => void (event.kind !== 'slice' && context.emit(event))
  const { timedSlices, timedWidth: width } = budget
  const drawn = generateCase(0, { infected: true, slices: differentSlices, size: segmenterSize }).slices
  const slices = Array.from({ length: timedSlices }, (_, i) => drawn[i % differentSlices]!.pixels)
  await using classifier = await createModel({ network: 'res2net101-v1b', width }, runtime)
  const classifyMs = await clocked(slices, (some) =>
    classify(classifier, some, { batchSize: Math.min(32, timedSlices), signal, onProgress }),
  )
  await using segmenter = await createModel({ network: 'jcs-joint', width }, runtime)
  // Random weights outline noise, whose thousands of parts no scan has; at this threshold they outline nothing.
  const segmentMs = await clocked(slices, (some) =>
    segment(segmenter, some, { threshold: 1, signal, onProgress }),
  )
  const { device, precision } = segmenter
  return {
    experiment: 'table-2',
    title: 'Table II: time of a case',
    slices: slicesOfCase,
    timed: timedSlices,
    classifyMs: (classifyMs * slicesOfCase) / timedSlices,
    segmentMs: (segmentMs * slicesOfCase) / timedSlices,
    device,
    precision,
    width,
    published: publishedTimes,
  }
}

async function clocked(
  slices: readonly PhantomPixels[],
  run: (slices: PhantomPixels[]) => PromiseLike<unknown>,
): Promise<number> {
  await run([...slices])
  const startMs = performance.now()
  await run([...slices])
  return performance.now() - startMs
}
