import { checkOptions, requireOneOf } from './base/check'
import { JcsError } from './base/errors'
import type { DatasetSource } from './datasets'
import { overDataset } from './evaluation/over-dataset'
import { readSamples, type ScoredSamples } from './evaluation/read-samples'
import { classifyDefaults } from './inference/classification'
import { type Model, nativeFor, nativeOf } from './model'
import {
  type CommonOptions,
  checkCommonOptions,
  type DecodingOptions,
  datasetCommonNames,
} from './run/options'
import { Run } from './run/run'

export interface CalibrateOptions extends CommonOptions, DecodingOptions {
  /** Whether a sample that cannot be used stops (default) or is left out and reported. */
  onBadSample?: 'error' | 'skip' | undefined
  /** Default 16. */
  batchSize?: number | undefined
}

export interface CalibrationScores {
  /** In nats, the mean over samples. */
  negativeLogLikelihood: number
  /** As of `metrics.classification`. */
  ece: number
}

export interface Calibration extends ScoredSamples {
  /** What the model's log-odds are divided by from now on. Above 1 it was too sure of itself. In [0.05, 20]. */
  temperature: number
  /** Of the samples that have a label: what the temperature was fitted to. */
  labelled: number
  before: CalibrationScores
  /** On the same samples, which flatters: `evaluate` on others says what it is worth. */
  after: CalibrationScores
}

/**
 * Fits the temperature of a classifier to samples that it was not trained on, so that of slices with a probability of
 * 0.8 four in five are infected: temperature scaling, Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017,
 * section 4.2. The model has it from then on, and keeps it when it is saved. Ranks, and what is above a probability of
 * one half, stay as they are; the samples should be as mixed as those that it will see.
 *
 * @throws JcsError INVALID_ARGUMENT for a segmenter, and where samples have one label only; BAD_SAMPLE, EMPTY_DATASET, and
 * whatever reading the dataset gives. The model is as it was then.
 */
export function calibrate(
  model: Model,
  data: DatasetSource,
  options: CalibrateOptions = {},
): Run<Calibration> {
  return new Run(async (context) => {
    checkOptions('options', options, [...datasetCommonNames, 'onBadSample'])
    checkCommonOptions(options)
    const { onBadSample, batchSize = classifyDefaults.batchSize } = options
    if (onBadSample !== undefined) requireOneOf('onBadSample', onBadSample, ['error', 'skip'])
    if (nativeOf(model) && model.task !== 'classification')
      throw new JcsError(
        'INVALID_ARGUMENT',
        `calibrate needs a classification network, '${model.spec.network}' is none`,
      )
    nativeFor('classification', model) // refuses a model that was disposed
    const { store, ...rest } = await readSamples(model, data, options, context)
    const { isAtLimit, ...fitted } = await overDataset(
      (native) => native.calibrate,
      model,
      store,
      batchSize,
      context,
    )
    model.forgetFile()
    const warnings = isAtLimit ? [...rest.warnings, atLimit(fitted.temperature)] : rest.warnings
    return { ...fitted, ...rest, warnings }
  }, options)
}

function atLimit(temperature: number): string {
  return temperature > 1
    ? `The temperature is at its limit, ${temperature}: the network tells nothing of these labels.`
    : `The temperature is at its limit, ${temperature}: the network separates these labels entirely, as it would its training data; calibrate on samples that it never saw.`
}
