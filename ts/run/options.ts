import { requireObject, requireOneOf, requireString, requireWhole } from '../base/check'
import { JcsError } from '../base/errors'
import { type CaseOptions, type DecodingOptions, resolveWindow } from '../images'
import type { RunOptions } from './run'

export interface CommonOptions extends RunOptions {
  /** Images per run of the network. More is faster until memory runs out; results do not depend on it. */
  batchSize?: number | undefined
}

export type { DecodingOptions }

export interface ImageOptions extends DecodingOptions, CaseOptions {}

const runNames = ['signal', 'onProgress', 'batchSize'] as const
const decodingNames = ['window', 'maxPixels'] as const
export const imageOptionNames = [...decodingNames, 'series', 'onBadSlice', 'onGap'] as const

/** Names of the options that every function on images has. */
export const commonNames = [...runNames, ...imageOptionNames] as const

/** Names of the options that every function on datasets has. */
export const datasetCommonNames = [...runNames, ...decodingNames] as const

export function checkImageOptions({ window, maxPixels, series, onBadSlice, onGap }: ImageOptions): void {
  if (window !== undefined) {
    if (typeof window !== 'string') requireObject('window', window)
    resolveWindow(window, 'options')
  }
  if (maxPixels !== undefined) requireWhole('maxPixels', maxPixels, 1)
  if (series !== undefined) requireString('series', series)
  if (onBadSlice !== undefined) requireOneOf('onBadSlice', onBadSlice, ['error', 'skip'])
  if (onGap !== undefined) requireOneOf('onGap', onGap, ['refuse', 'warn'])
}

export function checkCommonOptions(options: CommonOptions & ImageOptions): void {
  const { batchSize, signal, onProgress } = options
  if (batchSize !== undefined) requireWhole('batchSize', batchSize, 1, 4096)
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new JcsError('INVALID_TYPE', 'signal must be an AbortSignal')
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw new JcsError('INVALID_TYPE', 'onProgress must be a function')
  checkImageOptions(options)
}

/** Options of a case that is opened, and those of what is done with it. */
export function separateImageOptions<T extends ImageOptions>({
  window,
  maxPixels,
  series,
  onBadSlice,
  onGap,
  ...rest
}: T): [ImageOptions, Omit<T, keyof ImageOptions>] {
  return [{ window, maxPixels, series, onBadSlice, onGap }, rest]
}

/** So that an option given as undefined takes its default. */
export function withoutUndefined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as { [K in keyof T]: Exclude<T[K], undefined> }
}
