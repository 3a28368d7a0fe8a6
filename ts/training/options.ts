import {
  requireBoolean,
  requireKnown,
  requireNumber,
  requireObject,
  requireOneOf,
  requireString,
} from '../base/check'
import { JcsError } from '../base/errors'
import type { DatasetSource, Task } from '../datasets'
import { resolveWindow } from '../images'
import { Model, type WeightsSource } from '../model'
import { type RuntimeOptions, runtimeOptionNames } from '../model/runtime'
import type { ShippedModel } from '../model/shipped'
import type { ModelSpec } from '../model/spec'
import { callNativeNow, type NativeTrainSettings } from '../native'
import {
  type CommonOptions,
  checkCommonOptions,
  type DecodingOptions,
  datasetCommonNames,
} from '../run/options'
import { type TrainSettings, trainSettingNames } from './settings'

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
  /**
   * Weights to start from: a .safetensors file of whatever network, or a shipped model's name. Every layer that it has
   * by our name and in its shape is taken, the others are drawn from `seed`; `TrainResult.pretrained` says which. A
   * model's window and notice are taken over.
   */
  pretrained?: WeightsSource | ShippedModel | undefined
  /**
   * Trains together with the other processes that `mpirun` started, all of equal options and data: a step is of
   * `batchSize` samples of each, and every process ends up with the same model. Default false.
   */
  distributed?: boolean | undefined
  /** Whether a sample that cannot be used stops (default) or is left out and reported. */
  onBadSample?: 'error' | 'skip' | undefined
}

const otherNames = [
  ...datasetCommonNames,
  ...runtimeOptionNames,
  'task',
  'spec',
  'data',
  'model',
  'classifier',
  'backbone',
  'pretrained',
  'distributed',
  'onBadSample',
] as const

/** All but the settings, which the native side checks: `resolveSettings`. */
export function checkTrainOptions(options: TrainOptions): void {
  requireObject('options', options)
  requireKnown('options', options, [...trainSettingNames, ...otherNames])
  const { batchSize: _, ...common } = options
  checkCommonOptions(common)
  const { task, spec, data, model, classifier, backbone, pretrained, distributed, onBadSample } = options
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
  if (model !== undefined && (spec !== undefined || backbone !== undefined || pretrained !== undefined)) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      'spec, backbone and pretrained make a new model; leave them out beside `model`',
    )
  }
  if (backbone !== undefined && pretrained !== undefined)
    throw new JcsError('INVALID_ARGUMENT', 'give either backbone or pretrained')
  if (classifier !== undefined && !(classifier instanceof Model)) requireString('classifier', classifier)
  if (distributed !== undefined) requireBoolean('distributed', distributed)
  if (onBadSample !== undefined) requireOneOf('onBadSample', onBadSample, ['error', 'skip'])
}

/** JSON has no NaN and no infinity: they would become null, which is as if they had not been given. */
function requireFinite(name: string, value: unknown): void {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new JcsError('INVALID_ARGUMENT', `${name} must be a finite number, got ${value}`)
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) requireFinite(`${name}.${key}`, inner)
}

/** The settings, checked, over those of the recipe. */
export function resolveSettings(options: TrainOptions): NativeTrainSettings {
  const given = Object.fromEntries(trainSettingNames.map((name) => [name, options[name]]))
  requireFinite('options', given)
  const window = options.window === undefined ? undefined : resolveWindow(options.window, 'options')
  const json = JSON.stringify({ ...given, window })
  const isPretrained = options.backbone !== undefined
  const network = options.model?.spec.network ?? options.spec?.network ?? ''
  return callNativeNow(
    ({ NativeTrainSettings }) => new NativeTrainSettings(options.task, json, isPretrained, network),
  )
}
