import { resolve } from 'node:path'
import {
  checkOptions,
  requireKnown,
  requireNumber,
  requireObject,
  requireOneOf,
  requireString,
  requireWhole,
} from '../base/check'
import { JcsError } from '../base/errors'
import type { DatasetDescription, Sample } from '../datasets'
import { type RuntimeOptions, runtimeOptionNames, takeRuntimeOptions } from '../model/runtime'
import type { RunOptions } from '../run/run'
import { type Budget, type BudgetName, budgets } from './budget'
import { type Experiment, experiments, networksOf } from './experiments'

/** A dataset that is read several times. */
type Source = string | URL | DatasetDescription | readonly Sample[]

export interface ReproduceOptions extends RuntimeOptions, RunOptions {
  /** Which tables and figures of the paper. */
  experiments: readonly Experiment[] | 'all'
  /**
   * Slices with masks, for tables V to VII and figures 10 and 11. Folds are those of a CSV with a column `fold`, else five
   * of whole patients: what a network is scored on it has never seen.
   */
  data?: Source | undefined
  /** Slices without infection, labelled 0, for the classifier whose features JCS combines. Default: none. */
  uninfected?: Source | undefined
  /** Default `quick`. */
  budget?: BudgetName | undefined
  /** What of the budget is otherwise. It is told with the results. */
  settings?: Partial<Budget> | undefined
  /**
   * Gets the results, and a folder for every network with its trainings. Given again, after whatever interruption, it
   * goes on where it was.
   */
  directory: string
}

export interface ReproductionPlan {
  wanted: Experiment[]
  data: Source | undefined
  uninfected: Source | undefined
  budget: Budget
  runtime: RuntimeOptions
  directory: string
}

/** @throws JcsError INVALID_TYPE, INVALID_ARGUMENT */
export function takeOptions(options: ReproduceOptions): ReproductionPlan {
  checkOptions('options', options, [
    ...runtimeOptionNames,
    'signal',
    'onProgress',
    'experiments',
    'data',
    'uninfected',
    'budget',
    'settings',
    'directory',
  ])
  const { experiments: wanted, data, uninfected, budget = 'quick', settings = {}, directory } = options
  for (const [name, source] of Object.entries({ data, uninfected }))
    if (isIterator(source))
      throw new JcsError('INVALID_TYPE', `${name} is read several times: give a path, or an array of samples`)
  requireOneOf('budget', budget, Object.keys(budgets))
  requireString('directory', directory)
  const taken = takeExperiments(wanted)
  const inNeed = taken.find((one) => networksOf([one]).length > 0)
  if (data === undefined && inNeed)
    throw new JcsError('INVALID_ARGUMENT', `data is missing: slices with masks, for ${inNeed}`)
  return {
    wanted: taken,
    data,
    uninfected,
    budget: takeBudget(budgets[budget], settings),
    runtime: takeRuntimeOptions(options),
    directory: resolve(directory),
  }
}

function takeExperiments(wanted: unknown): Experiment[] {
  if (wanted === 'all') return [...experiments]
  if (!Array.isArray(wanted) || wanted.length === 0)
    throw new JcsError('INVALID_TYPE', `experiments must be 'all' or some of ${experiments.join(', ')}`)
  for (const one of wanted) requireOneOf('every one of experiments', one, experiments)
  return experiments.filter((one) => wanted.includes(one))
}

function takeBudget(budget: Budget, settings: Partial<Budget>): Budget {
  requireObject('settings', settings)
  requireKnown('settings', settings, Object.keys(budget))
  const { width, timedWidth, seeds, ...counts } = settings
  for (const [name, value] of Object.entries({ width, timedWidth }))
    if (value !== undefined) requireNumber(`settings.${name}`, value, 0, 4)
  for (const [name, value] of Object.entries(counts))
    if (value !== undefined) requireWhole(`settings.${name}`, value, 1)
  if (seeds !== undefined && (!Array.isArray(seeds) || seeds.length === 0))
    throw new JcsError('INVALID_TYPE', 'settings.seeds must be an array of at least one whole number')
  const given = Object.entries(settings).filter(([, value]) => value !== undefined)
  return { ...budget, ...Object.fromEntries(given) }
}

/** What is gone through once: an async iterable, or an iterable that is no array. */
function isIterator(source: unknown): boolean {
  return (
    typeof source === 'object' &&
    source !== null &&
    !Array.isArray(source) &&
    (Symbol.asyncIterator in source || Symbol.iterator in source)
  )
}
