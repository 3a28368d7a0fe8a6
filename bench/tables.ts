// npm run bench:tables: writes the tables of README.md, docs/performance.md, docs/results.md and docs/reliability.md anew
// from the committed result files.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fuzzTables } from './fuzz-tables'
import { gpuTables } from './gpu-tables'
import { markdownRows } from './markdown'
import { paperTables } from './paper-tables'
import {
  type EngineResult,
  figure,
  type Kind,
  kinds,
  type Measurement,
  nameOf,
  type ResultFile,
  ratiosToPeers,
  readResults,
} from './results'
import { soakTables } from './soak-tables'
import { isReached, type Target, targetsOf } from './targets'

const root = join(__dirname, '..')

/** What each document shows of the result files. */
const documents: Record<string, (results: readonly ResultFile[]) => string[]> = {
  'README.md': (results) => [
    ...results.map((one) => markdownTables(one, ['inference', 'training'])),
    ...gpuTables(false),
  ],
  'docs/performance.md': (results) => [
    ...results.map((one) => markdownTables(one, Object.keys(kinds) as Kind[])),
    '### Beside the targets',
    'Those beside peers were set for processors with a matrix unit (AMX), where bf16 is many times as fast as float32.',
    markdownTargets(results),
    '### Where the time goes',
    'The share of the roof is defined below.',
    markdownRooflines(results),
    ...gpuTables(true),
  ],
  'docs/results.md': () => [paperTables()],
  'docs/reliability.md': () => ['### Repeated', ...soakTables(), '### Fuzzed', ...fuzzTables()],
}

/** What stands between these lines is written by this script. */
const markers = ['<!-- npm run bench:tables writes from here -->', '<!-- to here -->'] as const

/** For a terminal: every figure, and what was aimed at. */
export function plainTables(results: ResultFile): string {
  const targets = targetsOf(results).map((target) => targetCells(target))
  return [
    columns(figureRows(results)),
    ...(targets.length > 0 ? [columns([targetHeader, ...targets])] : []),
  ].join('\n\n')
}

function figureRows({ measurements }: ResultFile): string[][] {
  const rows = [['work', 'engine', 'median', 'unit', 'quartiles', 'GFLOP/s', 'error', 'peer / ours']]
  for (const measurement of measurements) {
    for (const result of measurement.results) {
      const ratios = ratiosToPeers(measurement, result)
      rows.push([
        measurement.name,
        nameOf(result),
        figure(result.median),
        measurement.unit,
        result.quartiles.map(figure).join(' - '),
        result.gigaflopsPerSecond?.toFixed(0) ?? '',
        result.relativeError?.toExponential(1) ?? '',
        ratios.map(({ peer, ratio }) => `${peer} ${ratio.toFixed(2)}`).join(', '),
      ])
    }
  }
  return rows
}

const targetHeader = ['target', 'reached', 'goal', '']
const targetCells = (target: Target): string[] => [
  target.what,
  figure(target.reached),
  `${target.bound === 'at least' ? '≥' : '≤'} ${Number(target.goal.toPrecision(3))}`,
  isReached(target) ? 'reached' : 'missed',
]

function columns(rows: readonly string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Kernels, of all files, that take a twentieth of the time of a network or more, in our fastest precision. */
function markdownRooflines(results: readonly ResultFile[]): string {
  const header = ['inference', 'op', 'kernel', 'steps', 'share', 'GFLOP/s', 'GB/s', 'of the roof']
  const rows = results
    .flatMap(({ measurements }) => measurements)
    .filter(({ kind }) => kind === 'inference')
    .flatMap((measurement) => {
      const own = measurement.results
        .filter(({ roofline }) => roofline)
        .toSorted((a, b) => a.median - b.median)[0]
      return (own?.roofline?.groups ?? [])
        .filter(({ share }) => share >= 0.05)
        .map((group) => [
          `${workOf(measurement)}, ${own!.precision}`,
          group.op,
          group.implementation,
          String(group.steps),
          percent(group.share),
          group.gigaflopsPerSecond.toFixed(0),
          group.gigabytesPerSecond.toFixed(1),
          percent(group.roofShare),
        ])
    })
  return markdownRows(header, rows)
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`

/** What was aimed at, of all files, as a table of a document. */
export function markdownTargets(results: readonly ResultFile[]): string {
  return markdownRows(targetHeader, results.flatMap(targetsOf).map(targetCells))
}

/** One table a kind, one row a measurement, one column an engine, and the machine; nothing where none is shown. */
export function markdownTables({ environment, measurements }: ResultFile, shown: readonly Kind[]): string {
  const { cpu, isa, threads, versions, commit, modified, date, loadAverage } = environment
  const libraries = Object.entries(versions)
    .filter(([name]) => name !== 'jcs-ct')
    .map(([name, version]) => (name === 'library' ? version : `${name} ${version}`))
  const machine = `${cpu}, ${isa}, ${threads} threads; ${libraries.join(', ')}; commit ${commit}${modified ? ' with changes' : ''}, ${date}`
  const company = loadAverage > 0.5 ? `, measured beside other work (load average ${loadAverage})` : ''
  const tables = shown
    .map((kind) => measurements.filter((measurement) => measurement.kind === kind))
    .filter((ofKind) => ofKind.length > 0)
    .map(markdownTable)
  if (tables.length === 0) return ''
  return `${tables.join('\n\n')}\n\n${machine}${company}.`
}

function markdownTable(measurements: readonly Measurement[]): string {
  const { kind, unit } = measurements[0]!
  const engines = [...new Set(measurements.flatMap(({ results }) => results.map(nameOf)))]
  const rows = measurements.map((measurement) => {
    const find = (engine: string) => measurement.results.find((result) => nameOf(result) === engine)
    return [workOf(measurement), ...engines.map((engine) => cell(find(engine)))]
  })
  const header = [`${kinds[kind]}: ${unit}, median`, ...engines]
  const notes = [...new Set(measurements.flatMap(({ note }) => note ?? []))]
  return [markdownRows(header, rows), ...notes].join('\n\n')
}

const cell = (result: EngineResult | undefined): string => (result ? figure(result.median) : '–')

/** The name without its kind: `jcs-segmentation, 1×512²`. */
const workOf = ({ name }: Measurement): string =>
  name
    .split('/')
    .slice(1)
    .map((part) => part.replace(/^(\d+)x(\d+)$/, '$1×$2²'))
    .join(', ')

export function committedResults(): ResultFile[] {
  const folder = join(root, 'bench', 'results')
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .toSorted((a, b) => Number(b.startsWith('speed-')) - Number(a.startsWith('speed-')))
    .map((name) => readResults(join(folder, name)))
}

/** The documents as they should be, by path. */
export function documentsWithTables(results: readonly ResultFile[]): Map<string, string> {
  return new Map(
    Object.entries(documents).map(([name, tablesOf]) => {
      const text = readFileSync(join(root, name), 'utf8')
      const [before, rest] = splitOnce(text, markers[0], name)
      const [, after] = splitOnce(rest, markers[1], name)
      const tables = tablesOf(results)
        .filter((part) => part !== '')
        .join('\n\n')
      return [name, `${before}${markers[0]}\n\n${tables}\n\n${markers[1]}${after}`]
    }),
  )
}

function splitOnce(text: string, marker: string, document: string): [string, string] {
  const parts = text.split(marker)
  if (parts.length !== 2) throw new Error(`${document} must have one line '${marker}'`)
  return parts as [string, string]
}

if (require.main === module) {
  for (const [name, text] of documentsWithTables(committedResults())) {
    writeFileSync(join(root, name), text)
    console.log(`${name} written`)
  }
}
