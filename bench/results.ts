import { readFileSync, writeFileSync } from 'node:fs'
import type { Environment } from './environment'
import type { Timing } from './harness'

export interface EngineResult extends Timing {
  engine: 'jcs-ct' | 'onnxruntime-node' | 'pytorch'
  precision: string
  /** Settings in which the engine was at its best. */
  settings?: Record<string, unknown>
  /** Of the network's convolutions and products. */
  gigaflopsPerSecond?: number
  /** Norm of the difference to the peer's float32 outputs over their norm, of the output that differs most. */
  relativeError?: number
}

export interface Measurement {
  /** `inference/jcs-segmentation/1x512`, the same in every file. */
  name: string
  kind: 'inference' | 'training'
  network: string
  batch: number
  size: number
  gigaflops?: number
  results: EngineResult[]
}

export interface ResultFile {
  format: 1
  environment: Environment
  repetitions: number
  measurements: Measurement[]
}

export function writeResults(path: string, results: ResultFile): void {
  // One line a list of times: a diff of two runs stays readable.
  const text = JSON.stringify(results, null, 2).replace(/\[[\d\s.,]+\]/g, (list) => list.replace(/\s+/g, ' '))
  writeFileSync(path, `${text}\n`)
}

export function readResults(path: string): ResultFile {
  const results = JSON.parse(readFileSync(path, 'utf8')) as ResultFile
  if (results.format !== 1) throw new Error(`${path} is no result file of this benchmark`)
  return results
}

export const nameOf = ({ engine, precision }: EngineResult): string => `${engine} ${precision}`

/** How many times as fast as the peer's best float32 time; undefined without that peer. */
export function speedup(measurement: Measurement, result: EngineResult): number | undefined {
  const peers = measurement.results.filter(({ engine }) => engine !== 'jcs-ct')
  if (result.engine !== 'jcs-ct' || peers.length === 0) return undefined
  return Math.min(...peers.map(({ medianMs }) => medianMs)) / result.medianMs
}

export function plainTable({ measurements }: ResultFile): string {
  const rows = [['work', 'engine', 'median ms', 'quartiles', 'GFLOP/s', 'error', 'peer / ours']]
  for (const measurement of measurements) {
    for (const result of measurement.results) {
      rows.push([
        measurement.name,
        nameOf(result),
        result.medianMs.toFixed(1),
        result.quartilesMs.map((ms) => ms.toFixed(1)).join(' - '),
        result.gigaflopsPerSecond?.toFixed(0) ?? '',
        result.relativeError?.toExponential(1) ?? '',
        speedup(measurement, result)?.toFixed(2) ?? '',
      ])
    }
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')).join('\n')
}

/** For the README: one row a measurement, one column an engine, and the machine. */
export function tableForReadme({ environment, measurements }: ResultFile): string {
  const { cpu, isa, threads, versions, commit, modified, date, loadAverage } = environment
  const libraries = Object.entries(versions)
    .filter(([name]) => name !== 'jcs-ct')
    .map(([name, version]) => (name === 'library' ? version : `${name} ${version}`))
  const machine = `${cpu}, ${isa}, ${threads} threads; ${libraries.join(', ')}; commit ${commit}${modified ? ' with changes' : ''}, ${date}`
  const company = loadAverage > 0.5 ? `, measured beside other work (load average ${loadAverage})` : ''
  const engines = [...new Set(measurements.flatMap(({ results }) => results.map(nameOf)))]
  const rows = measurements.map((measurement) => {
    const { kind, network, batch, size, results } = measurement
    const work = `${kind === 'inference' ? '' : 'training step, '}${network}, ${batch}×${size}²`
    const times = engines.map((engine) => {
      const result = results.find((candidate) => nameOf(candidate) === engine)
      return result ? formatMs(result.medianMs) : '–'
    })
    return [work, ...times]
  })
  const header = ['ms, median', ...engines]
  const table = [header, header.map((_, column) => (column === 0 ? '---' : '--:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
  return `${table}\n\n${machine}${company}.`
}

const formatMs = (ms: number): string => (ms < 100 ? ms.toFixed(1) : ms.toFixed(0))
