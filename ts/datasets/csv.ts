import { basename, dirname, resolve } from 'node:path'
import { JcsError } from '../base/errors'
import { badSample } from './bad-samples'
import type { DatasetDescription, DatasetSample, Label, ParsedDataset } from './types'

const knownColumns = ['image', 'label', 'mask', 'lung', 'patient', 'fold'] as const
type Column = (typeof knownColumns)[number]

interface Row {
  fields: string[]
  line: number
}

/** True when the first line is a CSV header: it has a column called `image`. */
export function hasCsvHeader(text: string): boolean {
  const [header = ''] = text.trimStart().split(/\r\n|\n|\r/, 1)
  return header.split(/[,;\t]/).some((name) => normaliseColumn(name.replaceAll('"', '')) === 'image')
}

/** Columns `image`, `label` or `mask` or both, perhaps `lung`, `patient`, `fold`; paths relative to the file. */
export function parseCsv(
  text: string,
  path: string,
  options: Pick<DatasetDescription, 'folds'>,
): ParsedDataset {
  const name = basename(path)
  const [header, ...rows] = splitRows(text, path)
  if (!header) return { samples: [], warnings: [], bad: [] }
  const columns = header.fields.map(normaliseColumn)
  checkColumns(columns, name)

  const parsed: ParsedDataset = { samples: [], warnings: [], bad: [] }
  const unknown = columns.filter((column) => !knownColumns.includes(column as Column))
  if (unknown.length > 0) parsed.warnings.push(`${name}: columns not used: ${unknown.join(', ')}.`)

  for (const { fields, line } of rows) {
    const origin = `${name}:${line}`
    if (fields.length !== columns.length) {
      parsed.bad.push(badSample(origin, `has ${fields.length} fields, the header has ${columns.length}`))
      continue
    }
    const row = Object.fromEntries(columns.map((column, index) => [column, fields[index]])) as Record<
      Column,
      string
    >
    const sample = toSample(row, origin, dirname(path))
    if (typeof sample === 'string') parsed.bad.push(badSample(origin, sample))
    else parsed.samples.push(sample)
  }
  if (options.folds) parsed.samples = pickFolds(parsed.samples, options.folds, columns, name)
  return parsed
}

function normaliseColumn(name: string): string {
  return name.trim().toLowerCase()
}

function splitRows(text: string, path: string): Row[] {
  const [firstLine = ''] = text.trimStart().split('\n', 1)
  const delimiter = [',', ';', '\t'].find((candidate) => firstLine.includes(candidate)) ?? ','
  const csv = require('csv-parse/sync') as typeof import('csv-parse/sync') // not before it is needed
  try {
    const records = csv.parse(text, {
      delimiter,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
    })
    return (records as unknown as { record: string[]; info: { lines: number } }[]).map(
      ({ record, info }) => ({
        fields: record,
        line: info.lines,
      }),
    )
  } catch (error) {
    if (!(error instanceof csv.CsvError)) throw error
    throw new JcsError('CORRUPT_FILE', `'${path}' is not a well-formed CSV file: ${error.message}`, {
      cause: error,
    })
  }
}

function checkColumns(columns: readonly string[], name: string): void {
  const twice = columns.find((column, index) => columns.indexOf(column) !== index)
  if (twice !== undefined)
    throw new JcsError('INVALID_ARGUMENT', `${name}:1: the column '${twice}' is there twice`)
  if (!columns.includes('image') || !(columns.includes('label') || columns.includes('mask'))) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${name}:1: the columns are ${columns.join(', ')}; needed are 'image' and 'label' or 'mask'`,
    )
  }
}

/** The sample, or what is wrong with the row. */
function toSample(
  row: Record<Column, string | undefined>,
  origin: string,
  directory: string,
): DatasetSample | string {
  const { image, label, mask, lung, patient, fold } = row
  if (!image) return 'the column image is empty'
  if (label && label !== '0' && label !== '1') return `the label is '${label}'; it must be 0 or 1`
  if (!label && !mask) return 'neither a label nor a mask is given'
  return {
    image: resolve(directory, image),
    ...(label && { label: Number(label) as Label }),
    ...(mask && { mask: resolve(directory, mask) }),
    ...(lung && { lung: resolve(directory, lung) }),
    ...(patient && { patient }),
    ...(fold && { fold }),
    origin,
  }
}

function pickFolds(
  samples: DatasetSample[],
  folds: readonly (number | string)[],
  columns: readonly string[],
  name: string,
): DatasetSample[] {
  if (!columns.includes('fold')) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${name}: folds ${folds.join(', ')} were asked for and there is no column 'fold'`,
    )
  }
  const present = new Set(samples.map(({ fold }) => fold))
  const wanted = new Set(folds.map(String))
  const missing = [...wanted].filter((fold) => !present.has(fold))
  if (missing.length > 0) {
    const known = [...present].filter((fold) => fold !== undefined).sort()
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${name}: there is no fold ${missing.join(', ')}; the file has the folds ${known.join(', ')}`,
    )
  }
  return samples.filter(({ fold }) => fold !== undefined && wanted.has(fold))
}
