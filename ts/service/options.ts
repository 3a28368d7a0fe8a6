import {
  checkOptions,
  requireBoolean,
  requireObject,
  requireOneOf,
  requireString,
  requireWhole,
} from '../base/check'
import { JcsError } from '../base/errors'
import { classifyDefaults } from '../inference/classification'
import { segmentDefaults } from '../inference/segmentation'
import { Model, type WeightsSource } from '../model'
import { type RuntimeOptions, runtimeOptionNames, takeRuntimeOptions } from '../model/runtime'
import type { ShippedModel } from '../model/shipped'

/** A model that is the caller's, or what the service loads one from, on each of its devices. */
export type ServiceModel = Model | WeightsSource | ShippedModel

export interface ServiceOptions extends RuntimeOptions {
  /** What `classify` and `diagnose` take where they are not told another. */
  classifier?: ServiceModel | undefined
  /** What `segment` and `diagnose` take. */
  segmenter?: ServiceModel | undefined
  /** What `diagnose` finds lungs with. */
  lungs?: ServiceModel | undefined
  /** More models, by the names that requests ask for them by. */
  models?: Readonly<Record<string, ServiceModel>> | undefined
  /** Devices that share the requests, each with its own copy of the models. Default: `device` alone. */
  devices?: readonly NonNullable<RuntimeOptions['device']>[] | undefined
  /** Requests that may wait; one more is refused as BUSY. Default 64. */
  maxQueue?: number | undefined
  /** Requests for slices that are worked on at the same time, of which batches are made. Default 32. */
  maxActive?: number | undefined
  /** Diagnoses that are worked on at the same time: a case holds its slices until it is decided. Default 2. */
  maxActiveCases?: number | undefined
  /** Slices that a classifier sees at once. Default 16. */
  classificationBatch?: number | undefined
  /** Slices that a segmenter sees at once. Default 4. */
  segmentationBatch?: number | undefined
  /**
   * Memory of all models that the service loaded, on each device. Models that nobody uses make room, the one that was
   * used longest ago first, and are loaded again when they are asked for. Default: no limit.
   */
  memoryBudgetBytes?: number | undefined
  /** Loads all models and runs each once before `createService` resolves, so that no request waits for that. Default true. */
  warmUp?: boolean | undefined
}

export type Priority = (typeof priorities)[number]

/** The first is served first. */
export const priorities = ['high', 'normal', 'low'] as const

/** What is said of a request beside what is to be done. */
export interface RequestOptions {
  /** Whoever has a higher one is served first, and takes the place of the newest lower one in a full queue. Default `normal`. */
  priority?: Priority | undefined
  /** Who asks: places go to clients in turn, however many requests one has. Default: all requests are of one. */
  client?: string | undefined
  /** Time from the call to the result; what is not done by then is given up as DEADLINE_EXCEEDED. Default: none. */
  deadlineMs?: number | undefined
}

export interface RequestTerms {
  priority: Priority
  client: string
  deadlineMs: number | undefined
}

/** @throws JcsError INVALID_TYPE, INVALID_ARGUMENT */
export function takeRequestTerms({
  priority = 'normal',
  client = '',
  deadlineMs,
}: RequestOptions): RequestTerms {
  requireOneOf('priority', priority, priorities)
  if (client !== '') requireString('client', client)
  if (deadlineMs !== undefined) requireWhole('deadlineMs', deadlineMs, 1, 2 ** 31 - 1)
  return { priority, client, deadlineMs }
}

/** The roles of a diagnosis, which are names of models as well. */
export const roles = ['classifier', 'segmenter', 'lungs'] as const

/** Of the options that are whole numbers: the least, the most, and what is taken where none is given. */
const limits = {
  maxQueue: [0, 1e6, 64],
  maxActive: [1, 4096, 32],
  maxActiveCases: [1, 4096, 2],
  classificationBatch: [1, 4096, classifyDefaults.batchSize],
  segmentationBatch: [1, 4096, segmentDefaults.batchSize],
  memoryBudgetBytes: [1, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
} as const

type Limits = Record<keyof typeof limits, number>

export interface ServiceSettings extends Limits {
  models: Map<string, ServiceModel>
  /** Without `device`. */
  runtime: RuntimeOptions
  devices: readonly RuntimeOptions['device'][]
  warmUp: boolean
}

/** @throws JcsError INVALID_TYPE, INVALID_ARGUMENT */
export function takeServiceSettings(options: ServiceOptions): ServiceSettings {
  const own = [...roles, 'models', 'devices', ...Object.keys(limits), 'warmUp']
  checkOptions('options', options, [...runtimeOptionNames, ...own])
  const { device, ...runtime } = takeRuntimeOptions(options)
  const { warmUp = true } = options
  requireBoolean('warmUp', warmUp)
  const settings = {
    ...takeLimits(options),
    models: takeModelTable(options),
    runtime,
    devices: takeDevices(options.devices, device),
    warmUp,
  }
  for (const source of settings.models.values()) requireSource(source, settings.devices.length)
  return settings
}

function takeLimits(options: ServiceOptions): Limits {
  const taken = Object.entries(limits).map(([name, [least, most, otherwise]]) => {
    const value = options[name as keyof Limits] ?? otherwise
    requireWhole(name, value, least, most)
    return [name, value]
  })
  return Object.fromEntries(taken) as Limits
}

/** @throws JcsError INVALID_ARGUMENT for a model that is there already, where several devices are to have a copy each */
export function requireSource(source: ServiceModel, devices: number): void {
  if (devices > 1 && source instanceof Model)
    throw new JcsError(
      'INVALID_ARGUMENT',
      'a model is on one device; for several give the file that each is to load it from',
    )
}

function takeModelTable(options: ServiceOptions): Map<string, ServiceModel> {
  const table = new Map<string, ServiceModel>()
  for (const role of roles) if (options[role] !== undefined) table.set(role, options[role])
  if (options.models !== undefined) requireObject('models', options.models)
  for (const [name, source] of Object.entries(options.models ?? {})) {
    if ((roles as readonly string[]).includes(name))
      throw new JcsError('INVALID_ARGUMENT', `models has a '${name}', which is an option of its own`)
    table.set(name, source)
  }
  if (table.size === 0)
    throw new JcsError(
      'INVALID_ARGUMENT',
      'the service has no model; give classifier, segmenter, lungs or models',
    )
  return table
}

function takeDevices(devices: ServiceOptions['devices'], device: RuntimeOptions['device']) {
  if (devices === undefined) return [device]
  if (!Array.isArray(devices) || devices.length === 0)
    throw new JcsError('INVALID_TYPE', 'devices must be an array of at least one device')
  if (device !== undefined) throw new JcsError('INVALID_ARGUMENT', 'give device or devices, not both')
  if (new Set(devices).size < devices.length)
    throw new JcsError('INVALID_ARGUMENT', `devices names one twice: ${devices.join(', ')}`)
  return devices.map((each) => takeRuntimeOptions({ device: each }).device)
}
