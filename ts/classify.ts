import { mapBatches, Rate } from './batches'
import { requireBoolean, requireNumber } from './check'
import { type CommonOptions, checkCommonOptions, commonNames, type ImageOptions } from './common-options'
import { type DecodedImage, decodeAll, type Images } from './images'
import { type Model, nativeFor } from './model'
import { type NativeModel, withNativeCalls } from './native'
import type { Classification } from './results'
import { Run, type RunContext } from './run'
import { checkOptions } from './runtime'

export interface ClassifyOptions extends CommonOptions, ImageOptions {
  /** Activation maps as well, equations (1) and (2) of the paper. Default false. */
  explain?: boolean | undefined
  /** A slice is positive when its probability is above this. Default 0.5. */
  threshold?: number | undefined
  /** Default 16. */
  batchSize?: number | undefined
}

export const classifyDefaults = { batchSize: 16, explain: false, threshold: 0.5 } as const

/**
 * Classifies slices as infected or not; results are in the order of the slices and come with events of kind 'slice' as
 * soon as they are there. Bytes and pixels given directly or in an array are copied when the function is called.
 *
 * @throws JcsError INVALID_ARGUMENT for a model that is no classifier, and whatever reading an image gives
 */
export function classify(model: Model, images: Images, options: ClassifyOptions = {}): Run<Classification[]> {
  return new Run(async (context) => {
    checkOptions('options', options, [...commonNames, 'explain', 'threshold'])
    checkCommonOptions(options)
    const settings = { ...classifyDefaults, ...withoutUndefined(options) }
    requireBoolean('explain', settings.explain)
    requireNumber('threshold', settings.threshold, 0, 1)
    const native = nativeFor('classification', model)
    let total: number | undefined
    const slices = decodeAll(images, {
      window: options.window,
      maxPixels: options.maxPixels,
      signal: context.signal,
      onTotal: (count) => {
        total = count
      },
    })
    return classifySlices(native, slices, settings, () => total, context)
  }, options)
}

/** Classifies what `slices` gives; shared with `diagnose`. `total` is asked for as it may become known late. */
export function classifySlices(
  native: NativeModel,
  slices: AsyncIterable<DecodedImage>,
  settings: { batchSize: number; explain: boolean; threshold: number },
  total: () => number | undefined,
  { signal, emit }: RunContext,
): Promise<Classification[]> {
  const { batchSize, explain, threshold } = settings
  return withNativeCalls(signal, async (start) => {
    const results: Classification[] = []
    const rate = new Rate()
    const batches = mapBatches(
      withProgress(slices, total, emit),
      batchSize,
      (batch) => start((cancellation) => native.classify(batch, { explain, batchSize }, cancellation)),
      signal,
    )
    for await (const batch of batches) {
      for (const { probability, activationMap } of batch) {
        const classification = {
          probability,
          positive: probability > threshold,
          ...(activationMap && { activationMap }),
        }
        const index = results.push(classification) - 1
        await emit({
          phase: 'classify',
          kind: 'slice',
          index,
          classification,
          ...counted(index + 1, total()),
        })
      }
      const done = results.length
      emit({ phase: 'classify', ...counted(done, total()), ...rate.of(done, total()) })
    }
    return results
  })
}

/** Passes slices on and reports each as decoded. */
export async function* withProgress<T>(
  slices: AsyncIterable<T>,
  total: () => number | undefined,
  emit: RunContext['emit'],
): AsyncGenerator<T> {
  let done = 0
  for await (const slice of slices) {
    emit({ phase: 'decode', ...counted(++done, total()) })
    yield slice
  }
}

export function counted(done: number, total: number | undefined): { done: number; total?: number } {
  return total === undefined ? { done } : { done, total }
}

/** So that an option given as undefined takes its default. */
export function withoutUndefined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as { [K in keyof T]: Exclude<T[K], undefined> }
}
