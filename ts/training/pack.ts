import { JcsError } from '../base/errors'
import { SliceStore } from '../cases'
import { type BadSample, type DatasetSample, decodeSamples } from '../datasets'
import type { DecodingOptions } from '../run/options'
import type { RunContext } from '../run/run'

export interface PackOptions extends DecodingOptions {
  onBadSample?: 'error' | 'skip' | undefined
  /** Whether lung masks are decoded too. Default false. */
  lungs?: boolean | undefined
}

/** Datasets given one after the other, decoded into the form that the native side reads. */
export interface Packed {
  data: SliceStore
  /** What is in `data`, in its order. */
  samples: DatasetSample[]
  skipped: BadSample[]
}

/**
 * Decodes datasets and packs them, reporting progress over all of them. Samples are decoded ahead, and appended one by
 * one: the order in the pack, on which the order of training depends, is that of the dataset.
 */
export async function packAll(
  datasets: readonly (readonly DatasetSample[])[],
  options: PackOptions,
  { signal, emit }: RunContext,
): Promise<Packed[]> {
  let total = datasets.reduce((sum, samples) => sum + samples.length, 0)
  const packed: Packed[] = []
  let done = 0
  for (const samples of datasets) {
    const into: Packed = {
      data: new SliceStore(),
      samples: [],
      skipped: [],
    }
    const onSkip = (bad: BadSample) => {
      into.skipped.push(bad)
      emit({ phase: 'decode', done: ++done, total })
    }
    const decoded = decodeSamples(samples, {
      window: options.window,
      maxPixels: options.maxPixels,
      lungs: options.lungs,
      signal,
      onOpen: (slices) => {
        total += slices - 1
      },
      ...(options.onBadSample === 'skip' && { onSkip }),
    })
    for await (const { sample, image, mask, lungs } of decoded) {
      const { label, patient } = sample
      await into.data.append({
        ...image,
        ...(mask && { mask: mask.data }),
        ...(lungs && { lungs: lungs.data }),
        ...(label !== undefined && { label }),
        ...(patient !== undefined && { patient }),
      })
      into.samples.push(sample)
      emit({ phase: 'decode', done: ++done, total })
    }
    if (into.samples.length === 0) {
      const [first] = into.skipped
      throw new JcsError(
        'EMPTY_DATASET',
        `no sample is left: all were skipped${first ? `, the first: ${first.message}` : ''}`,
      )
    }
    packed.push(into)
  }
  return packed
}
