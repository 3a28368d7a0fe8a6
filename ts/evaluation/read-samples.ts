import type { SliceStore } from '../cases'
import { type BadSample, type DatasetSource, readDataset } from '../datasets'
import type { Model } from '../model'
import { type CommonOptions, type DecodingOptions, withoutUndefined } from '../run/options'
import type { RunContext } from '../run/run'
import { packAll } from '../training/pack'

export interface ScoredSamples {
  samples: number
  warnings: string[]
  skipped: BadSample[]
}

/** The samples of a dataset that a model is scored on, decoded. */
export async function readSamples(
  model: Model,
  data: DatasetSource,
  options: CommonOptions & DecodingOptions & { onBadSample?: 'error' | 'skip' | undefined },
  context: RunContext,
): Promise<ScoredSamples & { store: SliceStore }> {
  const { onBadSample, window, maxPixels } = withoutUndefined(options)
  const { signal } = context
  const dataset = await readDataset(data, { task: model.task, onBadSample, window, maxPixels, signal })
  // Only explanations are measured by lungs.
  const lungs = model.task === 'classification'
  const [packed] = await packAll([dataset.samples], { ...options, lungs }, context)
  const { data: store, samples, skipped } = packed!
  return {
    store,
    samples: samples.length,
    warnings: dataset.warnings,
    skipped: [...dataset.skipped, ...skipped],
  }
}
