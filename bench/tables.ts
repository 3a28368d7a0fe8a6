// npm run bench:tables     writes the tables of README.md and docs/performance.md anew from the committed result files
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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

const root = join(__dirname, '..')

/** Which kinds each document shows. */
const documents: Record<string, readonly Kind[]> = {
  'README.md': ['inference', 'training'],
  'docs/performance.md': Object.keys(kinds) as Kind[],
}

/** What stands between these lines is written by this script. */
const markers = ['<!-- npm run bench:tables writes from here -->', '<!-- to here -->'] as const

/** For a terminal. */
export function plainTable({ measurements }: ResultFile): string {
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

/** One table a kind, one row a measurement, one column an engine, and the machine. */
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
  const lines = [header, header.map((_, column) => (column === 0 ? '---' : '--:')), ...rows]
  return [lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n'), ...notes].join('\n\n')
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
    .filter((name) => name.startsWith('speed-'))
    .map((name) => readResults(join(folder, name)))
}

/** The documents as they should be, by path. */
export function documentsWithTables(results: readonly ResultFile[]): Map<string, string> {
  return new Map(
    Object.entries(documents).map(([name, shown]) => {
      const text = readFileSync(join(root, name), 'utf8')
      const [before, rest] = splitOnce(text, markers[0], name)
      const [, after] = splitOnce(rest, markers[1], name)
      const tables = results.map((result) => markdownTables(result, shown)).join('\n\n')
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
