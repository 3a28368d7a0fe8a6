import { JcsError } from './base/errors'
import { nullAsNaN } from './base/json'
import { makeWritableDirectory } from './base/write-files'
import { type BadSample, type Dataset, findOverlap, readDataset, splitByPatient } from './datasets'
import { createModel, loadModel, type Model, nativeFor, nativeOf } from './model'
import { takeRuntimeOptions } from './model/runtime'
import { type ClassifierNetwork, combinesClassifier, type ModelSpec } from './model/spec'
import { callNative, type NativeModel, withNativeCalls } from './native'
import type { ProgressEvent } from './run/progress'
import { Run, type RunContext } from './run/run'
import { History } from './training/history'
import { checkTrainOptions, resolveSettings, type TrainOptions } from './training/options'
import { packAll } from './training/pack'
import { type PretrainedMatch, startFrom } from './training/pretrained'
import { alone, joinRanks, leaveRanks, type Ranks } from './training/ranks'

export interface TrainResult {
  model: Model
  /** Every event of a short run, evenly thinned ones of a long run; decoding is left out. */
  history: ProgressEvent[]
  /**
   * Of the last validation, or with `best` of the one whose weights the model has; empty without validation data. A
   * metric that is not defined on the data is NaN.
   */
  metrics: Record<string, number>
  /** With `pretrained`: layer by layer, what the network started from. */
  pretrained?: PretrainedMatch
  /** With `best`: after how many iterations the model had its weights. */
  bestIteration?: number
  /** Path of the last checkpoint. */
  checkpoint?: string
  iterations: number
  /** Samples per pass: the batch, or the part of it that fits into memory. */
  microBatch: number
  /** With `distributed`: which of the processes this is. Rank 0 has the checkpoint; all have the model. */
  rank: number
  /** How many processes trained together. */
  ranks: number
  /** Every setting that was used, the recipe's included. */
  settings: Record<string, unknown>
  /** What did not stop the run and should be seen, as full sentences. */
  warnings: string[]
  /** What `onBadSample: 'skip'` left out. */
  skipped: BadSample[]
}

/**
 * Trains a network. All samples are checked, then decoded, before the first step; progress streams from the start. The
 * defaults are the paper's recipe (section V-B) for the task; docs/training.md has every option.
 *
 * Cancelling stops within a step. A new model is then disposed of; checkpoints that were written stay.
 *
 * @throws JcsError BAD_SAMPLE, EMPTY_DATASET, INVALID_ARGUMENT, MISSING_PARAMETER, FILE_UNWRITABLE, DISK_FULL,
 * OUT_OF_MEMORY, DIVERGED, RESUME_MISMATCH, CANCELLED, DISPOSED; with `distributed` MPI_UNAVAILABLE, RANK_LOST
 */
export function train(options: TrainOptions): Run<TrainResult> {
  return new Run(async (context) => {
    checkTrainOptions(options)
    if (!options.distributed) return trainAs(alone, options, context)
    const ranks = await joinRanks()
    try {
      return await trainAs(ranks, options, context)
    } catch (error) {
      await leaveRanks(error)
      throw error
    }
  }, options)
}

async function trainAs(ranks: Ranks, options: TrainOptions, context: RunContext): Promise<TrainResult> {
  const { signal } = context
  const reading = readAll(options, signal)
  reading.catch(() => {}) // awaited below, after what is cheaper to check
  const settings = resolveSettings(options)
  if (options.checkpoint) await makeWritableDirectory(options.checkpoint.directory)
  const { train: trainSet, validation: validationSet, warnings } = await reading

  const { model, match } = options.model ? { model: options.model } : await prepareModel(options)
  model.forgetFile()
  try {
    const native = nativeFor(options.task, model)
    const datasets = [trainSet, ...(validationSet ? [validationSet] : [])]
    const packed = await packAll(
      datasets.map(({ samples }) => samples),
      options,
      context,
    )
    const history = new History()
    const onEvent = (event: ProgressEvent) => {
      history.push(event)
      context.emit(event)
    }
    const outcome = await withNativeCalls(signal, (start) =>
      start((cancellation, addon) =>
        addon.train(
          native,
          packed[0]!.data.native,
          packed[1]?.data.native,
          settings,
          cancellation,
          (text) => onEvent(withNaN(JSON.parse(text))),
          options.distributed === true,
        ),
      ),
    )
    context.throwIfCancelled()
    const { metrics, checkpoint, iterations, bestIteration, microBatch, ...rest } = JSON.parse(outcome)
    return {
      model,
      history: history.events(),
      metrics: nullAsNaN(metrics),
      ...(checkpoint && { checkpoint }),
      iterations,
      ...(bestIteration !== undefined && { bestIteration }),
      ...(match && { pretrained: match }),
      microBatch,
      ...ranks,
      settings: {
        ...JSON.parse(settings.toJson()),
        ...(ranks.ranks > 1 && { ranks: ranks.ranks }),
        window: model.window,
      },
      warnings: [...warnings, ...rest.warnings],
      skipped: [...datasets.flatMap(({ skipped }) => skipped), ...packed.flatMap(({ skipped }) => skipped)],
    }
  } catch (error) {
    if (!options.model) await model.dispose()
    throw error
  }
}

interface Data {
  train: Dataset
  validation: Dataset | undefined
  warnings: string[]
}

async function readAll(options: TrainOptions, signal: AbortSignal): Promise<Data> {
  const { task, data, onBadSample, window, maxPixels, seed = 0 } = options
  const readOptions = { task, onBadSample, window, maxPixels, signal }
  // Both start before anything is awaited: samples in memory are copied when the function is called.
  const reading = [data.train, ...(data.validation === undefined ? [] : [data.validation])].map((source) =>
    readDataset(source, readOptions),
  )
  const [train, validation] = await Promise.all(reading)
  if (!train) throw new JcsError('INTERNAL', 'no dataset was read')
  if (validation) {
    const overlap = await findOverlap(train.samples, validation.samples)
    // What is measured on such a validation set says nothing: too important for the result alone.
    for (const warning of overlap) process.emitWarning(warning, { type: 'JcsDataWarning' })
    return { train, validation, warnings: [...train.warnings, ...validation.warnings, ...overlap] }
  }
  const { validationFraction } = data
  if (validationFraction === undefined) return { train, validation, warnings: train.warnings }
  const split = splitByPatient(train.samples, { validationFraction, seed })
  return {
    train: { ...train, samples: split.train },
    validation: { samples: split.validation, warnings: [], skipped: [] },
    warnings: [...train.warnings, ...split.warnings],
  }
}

interface Prepared {
  model: Model
  match?: PretrainedMatch | undefined
}

async function prepareModel(options: TrainOptions): Promise<Prepared> {
  const { spec, classifier, backbone, pretrained, seed } = options
  const runtime = takeRuntimeOptions(options)
  if (!spec) throw new JcsError('INVALID_ARGUMENT', 'spec is missing')
  if (classifier !== undefined && !combinesClassifier(spec.network)) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `network '${spec.network}' does not combine a classifier's features; leave classifier out`,
    )
  }
  const prepare = async (spec: ModelSpec, trunk?: NativeModel): Promise<Prepared> => {
    const model = await createModel(spec, { ...runtime, seed, backbone })
    try {
      const match = pretrained === undefined ? undefined : await startFrom(model, pretrained)
      if (trunk) await callNative(() => nativeOf(model).copyTrunk(trunk))
      return { model, match }
    } catch (error) {
      await model.dispose()
      throw error
    }
  }
  if (classifier === undefined) return prepare(spec)

  const companion = typeof classifier === 'string' ? await loadModel(classifier, runtime) : classifier
  try {
    const native = nativeFor('classification', companion, 'classifier')
    const trunk = spec.trunk ?? (companion.spec.network as ClassifierNetwork)
    const outputStride = spec.outputStride ?? companion.spec.outputStride
    return await prepare({ ...spec, trunk, outputStride }, native)
  } finally {
    if (companion !== classifier) await companion.dispose()
  }
}

function withNaN(event: ProgressEvent): ProgressEvent {
  return 'metrics' in event && event.metrics ? { ...event, metrics: nullAsNaN(event.metrics) } : event
}
