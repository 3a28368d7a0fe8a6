import { requireObject, requireWhole } from '../base/check'
import { JcsError } from '../base/errors'
import type { IntensityWindow } from '../images'
import type { RunOptions } from './run'

export interface CommonOptions extends RunOptions {
  /** Images per run of the network. More is faster until memory runs out; results do not depend on it. */
  batchSize?: number | undefined
}

export interface ImageOptions {
  /** For signed 16-bit pixels that bring no window of their own. */
  window?: IntensityWindow | undefined
  /** Images with more pixels are refused before they are decoded. Default 2^26. */
  maxPixels?: number | undefined
}

export const imageOptionNames = ['window', 'maxPixels'] as const

/** Names of the options that every function on images has. */
export const commonNames = ['signal', 'onProgress', 'batchSize', ...imageOptionNames] as const

export function checkImageOptions({ window, maxPixels }: ImageOptions): void {
  if (window !== undefined) requireObject('window', window)
  if (maxPixels !== undefined) requireWhole('maxPixels', maxPixels, 1)
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

/** So that an option given as undefined takes its default. */
export function withoutUndefined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as { [K in keyof T]: Exclude<T[K], undefined> }
}
