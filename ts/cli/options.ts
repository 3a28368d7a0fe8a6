import { type Command, InvalidArgumentError, Option } from 'commander'
import type { DatasetSource } from '../datasets'
import { namedWindows, type WindowName } from '../images'
import type { DeviceName, Precision, RuntimeOptions } from '../model/runtime'
import type { DecodingOptions, ImageOptions } from '../run/options'
import type { SessionOptions } from './session'

export function wholeNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isInteger(value))
    throw new InvalidArgumentError('expected a whole number.')
  return value
}

export function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('expected a number.')
  return value
}

export function list(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

export function wholeNumbers(text: string): number[] {
  return list(text).map(wholeNumber)
}

function numbers(text: string): number[] {
  return list(text).map(number)
}

/** A window's name, or `center,width` in HU. */
function intensityWindow(text: string): NonNullable<ImageOptions['window']> {
  if (Object.hasOwn(namedWindows, text)) return text as WindowName
  const [center, width, ...rest] = list(text).map(number)
  if (center === undefined || width === undefined || rest.length > 0)
    throw new InvalidArgumentError('expected lung, mediastinum or center,width, for example -600,1500.')
  return { center, width }
}

export interface TestTimeFlags {
  testTimeFlips?: string[]
  testTimeScales?: number[]
}

/** Test-time augmentation. */
export function addTestTimeOptions(command: Command): Command {
  return command
    .option('--test-time-flips <axes>', 'average over flipped slices: horizontal, vertical or both', flips)
    .option('--test-time-scales <s,s>', "average over input sizes, multiples of the model's", numbers)
}

export function testTimeOf({ testTimeFlips = [], testTimeScales }: TestTimeFlags) {
  if (testTimeFlips.length === 0 && testTimeScales === undefined) return undefined
  return {
    horizontalFlip: testTimeFlips.includes('horizontal'),
    verticalFlip: testTimeFlips.includes('vertical'),
    scales: testTimeScales,
  }
}

function flips(text: string): string[] {
  const axes = list(text)
  if (axes.length === 0 || axes.some((axis) => axis !== 'horizontal' && axis !== 'vertical'))
    throw new InvalidArgumentError('expected horizontal, vertical or horizontal,vertical.')
  return axes
}

export interface RuntimeFlags extends SessionOptions {
  device?: DeviceName
  precision?: Precision
  threads?: number
}

export interface ImageFlags {
  window?: ImageOptions['window']
  series?: string
  skipBadSlices?: boolean
  onGap?: ImageOptions['onGap']
}

export function addWindowOption(command: Command, otherwise: string): Command {
  return command.option(
    '--window <name>',
    `of values in HU: 'lung' (-600,1500), 'mediastinum' (40,400) or center,width; default ${otherwise}`,
    intensityWindow,
  )
}

/** Options of every command that reads a case. */
export function addImageOptions(command: Command): Command {
  return addWindowOption(command.optionsGroup('Slices:'), "the model's")
    .option('--series <uid>', 'the DICOM series to take; `jcs inspect` lists them')
    .option('--skip-bad-slices', 'leave out and report slices that cannot be read, instead of stopping')
    .addOption(
      new Option('--on-gap <what>', 'where slices are missing in a DICOM series').choices(['refuse', 'warn']),
    )
}

export function imageOptionsOf({ window, series, skipBadSlices, onGap }: ImageFlags): ImageOptions {
  return { window, series, onBadSlice: skipBadSlices ? 'skip' : undefined, onGap }
}

/** Options that every command has which computes something and gives a result. */
export function addRunOptions(command: Command): Command {
  return addOutputOptions(addRuntimeOptions(command))
}

export function addRuntimeOptions(command: Command): Command {
  return command
    .optionsGroup('Device:')
    .option('--device <name>', "'auto', 'cpu', 'cuda' or 'cuda:N'; `jcs devices` lists them")
    .addOption(new Option('--precision <name>').choices(['auto', 'fp32', 'tf32', 'bf16', 'int8']))
    .option('--threads <n>', 'threads of the CPU backend', wholeNumber)
}

export function addOutputOptions(command: Command): Command {
  return command
    .optionsGroup('Output:')
    .option('--json', 'print the result as one JSON document on stdout')
    .addOption(
      new Option('--progress <style>', 'on stderr; json: a line per event on stdout')
        .choices(['auto', 'bar', 'lines', 'json', 'none'])
        .default('auto'),
    )
}

export function runtimeOf({ device, precision, threads }: RuntimeFlags): RuntimeOptions {
  return { device, precision, threads }
}

export interface DatasetFlags {
  folds?: string[]
  batchSize?: number
  skipBadSamples?: boolean
  window?: DecodingOptions['window']
}

/** Options of commands that run a trained model over a dataset, which is their argument. */
export function addDatasetOptions(command: Command): Command {
  const added = command
    .option('--folds <names>', 'only these folds of a CSV with a column `fold`, separated by commas', list)
    .option('--batch-size <n>', 'images per run of the network', wholeNumber)
    .option('--skip-bad-samples', 'leave out samples that cannot be used, and report them')
  return addWindowOption(added, "the model's")
}

export function datasetOptionsOf({ batchSize, window, skipBadSamples = false }: DatasetFlags) {
  return { batchSize, window, onBadSample: skipBadSamples ? ('skip' as const) : ('error' as const) }
}

/** A dataset's path, with the folds to take if any were named. */
export function datasetOf(path: string, folds: readonly string[] | undefined): DatasetSource {
  return folds ? { path, folds } : path
}
