// What classify, segment and diagnose share: a stream of slices, and a network that runs over it.

import { type DecodedImage, decodeAll, type Images } from '../images'
import { type StartNative, withNativeCalls } from '../native'
import { mapBatches, Rate } from '../run/batches'
import type { ImageOptions } from '../run/options'
import type { ClassifyProgress, ProgressEvent, SegmentProgress } from '../run/progress'
import type { RunContext } from '../run/run'

/** `total` is a function because it may become known late: a directory says at once, an iterable at its end. */
export interface Slices {
  images: AsyncIterable<DecodedImage>
  total: () => number | undefined
}

/** Decodes the images that a call was given, ahead of their use. */
export function decodeSlices(images: Images, options: ImageOptions, signal: AbortSignal): Slices {
  const { window, maxPixels } = options
  let total: number | undefined
  const onTotal = (count: number) => {
    total = count
  }
  return { images: decodeAll(images, { window, maxPixels, signal, onTotal }), total: () => total }
}

/** The same slices, each of them reported as decoded. */
export function reportDecoding({ images, total }: Slices, { emit }: RunContext): Slices {
  const reported = async function* () {
    let done = 0
    for await (const image of images) {
      emit({ phase: 'decode', ...counted(++done, total()) })
      yield image
    }
  }
  return { images: reported(), total }
}

interface Inference<Answer, Result> {
  phase: 'classify' | 'segment'
  batchSize: number
  /** Starts the network on a batch. */
  infer: (batch: DecodedImage[], start: StartNative) => Promise<Answer[]>
  toResult: (answer: Answer) => Result
  /** The event that carries a result. */
  toEvent: (result: Result, place: { index: number; done: number; total?: number }) => ProgressEvent
}

/** Runs a network on full batches; gives the results in the order of the slices, and reports each as it comes. */
export function inferSlices<Answer, Result>(
  { images, total }: Slices,
  { phase, batchSize, infer, toResult, toEvent }: Inference<Answer, Result>,
  { signal, emit }: RunContext,
): Promise<Result[]> {
  return withNativeCalls(signal, async (start) => {
    const results: Result[] = []
    const rate = new Rate()
    for await (const answers of mapBatches(images, batchSize, (batch) => infer(batch, start), signal)) {
      for (const result of answers.map(toResult)) {
        const index = results.push(result) - 1
        await emit(toEvent(result, { index, ...counted(index + 1, total()) }))
      }
      const done = results.length
      const progress = { phase, ...counted(done, total()), ...rate.of(done, total()) }
      emit(progress as ClassifyProgress | SegmentProgress)
    }
    return results
  })
}

function counted(done: number, total: number | undefined): { done: number; total?: number } {
  return total === undefined ? { done } : { done, total }
}
