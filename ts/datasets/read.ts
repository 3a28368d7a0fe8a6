import { fileURLToPath } from 'node:url'
import { JcsError } from '../base/errors'
import { isDirectory } from '../base/files'
import type { DecodeOptions } from '../images'
import { badSample, badSamplesError } from './bad-samples'
import { checkFiles } from './check'
import { readClassFolders } from './class-folders'
import { hasCsvHeader, parseCsv } from './csv'
import { parseListFile } from './list-file'
import { hasMaskFolders, readMaskFolders } from './mask-folders'
import { takeSamples } from './memory'
import { readText } from './text'
import type {
  BadSample,
  Dataset,
  DatasetDescription,
  DatasetFormat,
  DatasetSample,
  DatasetSource,
  ParsedDataset,
} from './types'

export type Task = 'classification' | 'segmentation'

export interface ReadDatasetOptions extends DecodeOptions {
  /** Makes sure that every sample has what the task learns from: a label, or a mask. */
  task?: Task | undefined
  /** Whether a sample that cannot be used stops (default) or is left out and reported. */
  onBadSample?: 'error' | 'skip' | undefined
}

/**
 * Reads a dataset, tells its format from its content, and checks every file before anything is trained: existence,
 * readability, format and equal sizes of image and masks. Damage behind a file's header shows when it is decoded
 * (`decodeSamples`).
 */
export async function readDataset(source: DatasetSource, options: ReadDatasetOptions = {}): Promise<Dataset> {
  const dataset = await readSamples(source, options)
  const labels = new Set(dataset.samples.map(({ label }) => label))
  if (options.task !== 'classification' || labels.size !== 1) return dataset
  const sameLabel = `All ${dataset.samples.length} samples have the label ${[...labels][0]}: nothing can be told apart.`
  return { ...dataset, warnings: [sameLabel, ...dataset.warnings] }
}

/** The same of samples that are a part of what is learnt from: all of them may have one label. */
export async function readSamples(source: DatasetSource, options: ReadDatasetOptions = {}): Promise<Dataset> {
  const { task, onBadSample = 'error' } = options
  const { samples: parsed, warnings, bad: unparsed } = await parse(source, options.signal)
  const { complete, lacking } = requireFor(task, parsed)
  const { good, bad: unreadable } = await checkFiles(complete, options)

  const bad = [...unparsed, ...lacking, ...unreadable]
  if (bad.length > 0 && onBadSample === 'error') throw badSamplesError(bad)
  if (good.length === 0) {
    const reason =
      bad.length > 0 ? `all ${bad.length} samples were skipped, the first: ${bad[0]!.message}` : 'it is empty'
    throw new JcsError('EMPTY_DATASET', `the dataset${describe(source)} holds no samples: ${reason}`)
  }
  return { samples: good, warnings: [...warnings, ...repeatedImages(good)], skipped: bad }
}

function parse(source: DatasetSource, signal: AbortSignal | undefined): Promise<ParsedDataset> {
  if (typeof source === 'string' || source instanceof URL) return parsePath({ path: source })
  if (typeof source === 'object' && source !== null) {
    if (Symbol.iterator in source || Symbol.asyncIterator in source) return takeSamples(source, signal)
    if ('path' in source) return parsePath(source)
  }
  throw new JcsError(
    'INVALID_TYPE',
    'a dataset is a path, { path, format?, folds?, classes? } or an iterable of samples',
  )
}

async function parsePath(description: DatasetDescription): Promise<ParsedDataset> {
  const path = toPath(description.path)
  const directory = await isDirectory(path)
  const text = directory ? '' : await readText(path)
  const format = description.format ?? (await detectFormat(path, directory, text))
  if (directory !== (format === 'class-folders' || format === 'mask-folders')) {
    const found = directory ? 'a directory' : 'a file'
    throw new JcsError('INVALID_ARGUMENT', `'${path}' is ${found}, which the format '${format}' is not`)
  }
  if (description.folds && format !== 'csv') {
    throw new JcsError('INVALID_ARGUMENT', `'${path}': folds can be picked from CSV files only`)
  }
  switch (format) {
    case 'list':
      return parseListFile(text, path)
    case 'csv':
      return parseCsv(text, path, description)
    case 'mask-folders':
      return readMaskFolders(path)
    case 'class-folders':
      return readClassFolders(path, description)
    default:
      throw new JcsError('INVALID_ARGUMENT', `there is no dataset format '${String(format satisfies never)}'`)
  }
}

async function detectFormat(path: string, directory: boolean, text: string): Promise<DatasetFormat> {
  if (directory) return (await hasMaskFolders(path)) ? 'mask-folders' : 'class-folders'
  return hasCsvHeader(text) ? 'csv' : 'list'
}

function toPath(path: string | URL): string {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return path
  if (path instanceof URL && path.protocol === 'file:') return fileURLToPath(path)
  throw new JcsError('INVALID_ARGUMENT', `${JSON.stringify(path)} is not the path of a dataset`)
}

function requireFor(task: Task | undefined, samples: readonly DatasetSample[]) {
  const complete: DatasetSample[] = []
  const lacking: BadSample[] = []
  for (const sample of samples) {
    if (task === 'classification' && sample.label === undefined) {
      lacking.push(badSample(sample.origin, 'has no label, which classification learns from'))
    } else if (task === 'segmentation' && sample.mask === undefined) {
      lacking.push(badSample(sample.origin, 'has no mask, which segmentation learns from'))
    } else {
      complete.push(sample)
    }
  }
  return { complete, lacking }
}

function repeatedImages(samples: readonly DatasetSample[]): string[] {
  const images = samples.map(({ image }) => image).filter((image) => typeof image === 'string')
  const repeated = images.sort().filter((path, index) => path === images[index - 1])
  if (repeated.length === 0) return []
  return [`${repeated.length} images are listed more than once, the first is '${repeated[0]}'.`]
}

function describe(source: DatasetSource): string {
  if (typeof source === 'string' || source instanceof URL) return ` '${source}'`
  return 'path' in source ? ` '${source.path}'` : ''
}
