import { requireKnown, requireNumber, requireObject, requireOneOf, requireString } from '../base/check'
import { JcsError } from '../base/errors'
import type { DatasetSource, Task } from '../datasets'
import { resolveWindow } from '../images'
import { Model, type WeightsSource } from '../model'
import { type RuntimeOptions, runtimeOptionNames } from '../model/runtime'
import type { ModelSpec } from '../model/spec'
import { callNativeNow } from '../native'
import {
  type CommonOptions,
  checkCommonOptions,
  type DecodingOptions,
  datasetCommonNames,
} from '../run/options'

export interface OptimizerOptions {
  name?: 'sgd' | 'adam' | undefined
  /** Of SGD, in [0, 1]. */
  momentum?: number | undefined
  nesterov?: boolean | undefined
  /** Of Adam, in [0, 1). */
  beta1?: number | undefined
  beta2?: number | undefined
  epsilon?: number | undefined
  /** Added to the gradient of every weight, in [0, 1]. */
  weightDecay?: number | undefined
}

/** The learning rate over time. */
export interface ScheduleOptions {
  /** `step`: times `gamma` every `stepEpochs`; `poly`: times (1 - iteration / iterations)^`power`; `cosine`: to zero. */
  name?: 'constant' | 'step' | 'poly' | 'cosine' | undefined
  learningRate?: number | undefined
  stepEpochs?: number | undefined
  gamma?: number | undefined
  power?: number | undefined
  /** Iterations over which the rate rises linearly from `warmupFactor` of itself. */
  warmupIterations?: number | undefined
  warmupFactor?: number | undefined
  /** As the authors' code: a warm-up that outlasts the first epoch ends with it. */
  warmupInFirstEpochOnly?: boolean | undefined
}

/** What is drawn anew for every sample of every epoch. Given as an object, whatever is left out is off. */
export interface AugmentationOptions {
  /** Probabilities. */
  horizontalFlip?: number | undefined
  verticalFlip?: number | undefined
  /** Largest share of each side that is cut away, each side for itself. */
  cropMargin?: number | undefined
  /** The same, equally from opposite sides. */
  symmetricCrop?: number | undefined
  /** Zoom by up to this share, in or out. */
  scale?: number | undefined
  rotationDegrees?: number | undefined
  /** Shift by up to this share of the side. */
  translation?: number | undefined
  /** Intensities times 1 ± gain, plus ± offset, to the power of e^±gamma, with Gaussian noise of this deviation. */
  gain?: number | undefined
  offset?: number | undefined
  gamma?: number | undefined
  noise?: number | undefined
  /**
   * Of the window that values are seen through: its centre is moved by ± this share of its width, and its width times
   * or divided by up to 1 + `windowWidth`. Images that are in [0, 1] already are stretched alike.
   */
  windowCenter?: number | undefined
  windowWidth?: number | undefined
}

/** Settings of the training itself. What is not given is the recipe's. */
export interface TrainSettings {
  /**
   * `paper` (default): section V-B; `authors`: their code, where it differs; `scratch`: tuned for short runs without
   * ImageNet weights.
   */
  recipe?: 'paper' | 'authors' | 'scratch' | undefined
  /** Either of the two. */
  epochs?: number | undefined
  iterations?: number | undefined
  batchSize?: number | undefined
  /**
   * Samples per pass. `auto` (default) takes the whole batch, or splits it until it fits into memory; batch-norm
   * statistics are then those of each part.
   */
  microBatch?: number | 'auto' | undefined
  /** Height and width that images are brought to, pixels. */
  inputSize?: number | undefined
  optimizer?: OptimizerOptions | undefined
  schedule?: ScheduleOptions | undefined
  /** `false` turns all of it off. */
  augmentation?: AugmentationOptions | boolean | undefined
  /**
   * Exponential moving average of weights and batch-norm statistics: it is what is validated, what checkpoints are as
   * models, and what the trained model gets. `decay` in [0, 1); 0, the default, turns it off. After step t it is
   * min(decay, (1 + t) / (10 + t)).
   */
  ema?: { decay: number } | undefined
  /** Classification: image mixing, equation (3); λ ~ Beta(alpha, alpha), and 0 turns it off. */
  mixup?: { alpha: number } | undefined
  /** Classification: the activation-map loss, equation (4), on samples with masks. */
  activationLoss?: boolean | undefined
  activationLossWeight?: number | undefined
  /** Segmentation: factor of the intersection (1 in equation (6), 2 in the usual definition) and epsilon. */
  dice?: { factor?: number | undefined; eps?: number | undefined } | undefined
  /**
   * `batch`: statistics of the batch, the default without pretrained weights; `eval`: stored statistics, trainable
   * scale and offset; `frozen`: neither is trained, the default with a `backbone`.
   */
  batchNorm?: 'batch' | 'eval' | 'frozen' | undefined
  /** `jcs-joint`: train the classifier's trunk as well. Default false. */
  trainTrunk?: boolean | undefined
  /** Of weights, order and augmentation: the same seed trains the same model on one machine. Default 0. */
  seed?: number | undefined
  /** Threads that augment ahead of the step. Results do not depend on it. Default 2. */
  loaderThreads?: number | undefined
  /** Epochs between validations. Default 1; the last epoch always. */
  validateEvery?: number | undefined
}

export interface CheckpointOptions {
  /** Made when missing. One file in it, replaced atomically. */
  directory: string
  /** Epochs between checkpoints. Default 1. */
  every?: number | undefined
  /** Instead: iterations between checkpoints. */
  everyIterations?: number | undefined
}

export interface TrainData {
  train: DatasetSource
  validation?: DatasetSource | undefined
  /** Instead of `validation`: the share of `train` that is set aside, whole patients at a time, in (0, 1). */
  validationFraction?: number | undefined
}

export interface TrainOptions extends TrainSettings, CommonOptions, DecodingOptions, RuntimeOptions {
  task: Task
  /** Needed unless `model` is given. */
  spec?: ModelSpec | undefined
  data: TrainData
  /** Trains this model further instead of a new one. It is changed in place, and stays the caller's to dispose. */
  model?: Model | undefined
  /** Of `jcs-joint`: a trained classifier, or its file. Its trunk is copied; the classifier itself is not changed. */
  classifier?: Model | string | undefined
  /** ImageNet weights for the trunk, see `createModel`. */
  backbone?: WeightsSource | readonly WeightsSource[] | undefined
  checkpoint?: CheckpointOptions | undefined
  /** A checkpoint to continue from, bit for bit on the same machine: the other options must be those of its run. */
  resume?: string | undefined
  /** Whether a sample that cannot be used stops (default) or is left out and reported. */
  onBadSample?: 'error' | 'skip' | undefined
}

const settingNames = [
  'recipe',
  'epochs',
  'iterations',
  'batchSize',
  'microBatch',
  'inputSize',
  'optimizer',
  'schedule',
  'augmentation',
  'ema',
  'mixup',
  'activationLoss',
  'activationLossWeight',
  'dice',
  'batchNorm',
  'trainTrunk',
  'seed',
  'loaderThreads',
  'validateEvery',
] as const satisfies readonly (keyof TrainSettings)[]

const otherNames = [
  ...datasetCommonNames,
  ...runtimeOptionNames,
  'task',
  'spec',
  'data',
  'model',
  'classifier',
  'backbone',
  'checkpoint',
  'resume',
  'onBadSample',
] as const

export function checkTrainOptions(options: TrainOptions): void {
  requireObject('options', options)
  requireKnown('options', options, [...settingNames, ...otherNames])
  const { batchSize: _, ...common } = options
  checkCommonOptions(common)
  const { task, spec, data, model, classifier, backbone, checkpoint, resume, onBadSample } = options
  requireOneOf('task', task, ['classification', 'segmentation'])
  requireObject('data', data)
  requireKnown('data', data, ['train', 'validation', 'validationFraction'])
  if (!('train' in data)) throw new JcsError('INVALID_ARGUMENT', 'data.train is missing')
  if (data.validationFraction !== undefined) {
    if (data.validation !== undefined)
      throw new JcsError('INVALID_ARGUMENT', 'give either data.validation or data.validationFraction')
    requireNumber('data.validationFraction', data.validationFraction, 0, 1)
  }
  if (model === undefined && spec === undefined) {
    throw new JcsError('INVALID_ARGUMENT', "spec is missing, for example { network: 'jcs-segmentation' }")
  }
  if (model !== undefined && (spec !== undefined || backbone !== undefined)) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      'spec and backbone make a new model; leave them out beside `model`',
    )
  }
  if (classifier !== undefined && !(classifier instanceof Model)) requireString('classifier', classifier)
  if (resume !== undefined) requireString('resume', resume)
  if (onBadSample !== undefined) requireOneOf('onBadSample', onBadSample, ['error', 'skip'])
  if (checkpoint !== undefined) {
    requireObject('checkpoint', checkpoint)
    requireKnown('checkpoint', checkpoint, ['directory', 'every', 'everyIterations'])
    requireString('checkpoint.directory', checkpoint.directory)
  }
}

/** JSON has no NaN and no infinity: they would become null, which is as if they had not been given. */
function requireFinite(name: string, value: unknown): void {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new JcsError('INVALID_ARGUMENT', `${name} must be a finite number, got ${value}`)
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) requireFinite(`${name}.${key}`, inner)
}

/** The settings as JSON for the native side, and what all of them come to over the recipe. */
export function resolveSettings(options: TrainOptions): { json: string; settings: Record<string, unknown> } {
  const given = Object.fromEntries(
    settingNames.map((name) => [name, options[name]]).filter(([, value]) => value !== undefined),
  )
  requireFinite('options', given)
  const json = JSON.stringify({
    ...given,
    ...(options.microBatch === 'auto' && { microBatch: 0 }),
    ...(options.window !== undefined && { window: resolveWindow(options.window, 'options') }),
    ...(options.backbone !== undefined && { pretrained: true }),
    ...(options.checkpoint && { checkpoint: options.checkpoint }),
    ...(options.resume !== undefined && { resume: options.resume }),
  })
  const settings = callNativeNow((native) => native.trainSettings(options.task, json))
  return { json, settings: JSON.parse(settings) as Record<string, unknown> }
}
