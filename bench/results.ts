import { readFileSync, writeFileSync } from 'node:fs'
import type { Peaks } from 'jcs-ct'
import type { StepGroup } from '../ts/model/roofline'
import type { Environment } from './environment'
import type { Spread } from './harness'

export interface EngineResult extends Spread {
  engine: 'jcs-ct' | 'onnxruntime-node' | 'pytorch' | 'torch.compile' | 'gdcm'
  precision: string
  /** Settings in which the engine was at its best, and what the figure was made from. */
  settings?: Record<string, unknown>
  /** Of the network's convolutions and products. */
  gigaflopsPerSecond?: number
  /** Norm of the difference to the peer's float32 outputs over their norm, of the output that differs most. */
  relativeError?: number
  /** Where the time goes: kernels of a hundredth of it or more, beside what the device can do at best. */
  roofline?: { peaks: Peaks; groups: StepGroup[] }
}

/** What is measured, in the order of tables, and what a table of it is called. */
export const kinds = {
  inference: 'inference',
  int8: 'inference of a quantised network',
  training: 'training step',
  memory: 'peak resident memory of a process that loads a network and runs one slice',
  start: 'import, loading a network and its first slice, in a fresh process',
  restart: 'import, loading a network and its first slice, where an earlier process has prepared the weights',
  overhead: 'what a call costs beside the network',
  scaling: 'classifying many slices',
  case: 'PNG files to a diagnosis, over the slower one of decoding and networks',
  decoding: 'DICOM files to Hounsfield units, beside GDCM with a process per core',
  dicom:
    'a folder of DICOM files to a diagnosis, over the processor time of decoding and networks on all threads',
  service: 'a slice under ten times as many requests as can be served, over a slice of many in one call',
  response:
    'a service: delay of the event loop under that load (99th percentile), time until an abort is heard under it, and what a lone request adds to a bare call',
  serving:
    'a slice of 512² as PNG over HTTP, on as many connections: time per answer, and in which half of the answers and 99 of 100 come',
  distributed:
    'a training step of two processes of one thread, over one of a single such process with half the batch',
  isa: 'inference with oneDNN held to an older instruction set',
} as const
export type Kind = keyof typeof kinds

/** Of all of them, less is better. */
export type Unit = 'ms' | 'ms per slice' | 'MiB' | '% of a slice' | 'ratio'

export interface Measurement {
  /** `inference/jcs-segmentation/1x512`, the same in every file. */
  name: string
  kind: Kind
  unit: Unit
  network: string
  batch: number
  size: number
  /** Where not those of the run. */
  threads?: number
  gigaflops?: number
  /** What the figures stand for, where the name does not tell. */
  note?: string
  results: EngineResult[]
}

export interface ResultFile {
  format: 2
  environment: Environment
  repetitions: number
  measurements: Measurement[]
}

export function writeResults(path: string, results: ResultFile): void {
  // One line a list of samples: a diff of two runs stays readable.
  const text = JSON.stringify(results, null, 2).replace(/\[[-\d\s.,]+\]/g, (list) =>
    list.replace(/\s+/g, ' '),
  )
  writeFileSync(path, `${text}\n`)
}

export function readResults(path: string): ResultFile {
  const results = JSON.parse(readFileSync(path, 'utf8')) as ResultFile
  if (results.format !== 2) throw new Error(`${path} is no result file of this benchmark`)
  return results
}

export const nameOf = ({ engine, precision }: EngineResult): string => `${engine} ${precision}`

/** Each peer's figure over ours: how many times as fast, or as frugal, we are. */
export function ratiosToPeers(
  { results }: Measurement,
  own: EngineResult,
): { peer: string; ratio: number }[] {
  if (own.engine !== 'jcs-ct') return []
  return results
    .filter(({ engine }) => engine !== 'jcs-ct')
    .map((peer) => ({ peer: nameOf(peer), ratio: peer.median / own.median }))
}

/** Three digits tell what a measurement can tell. */
export const figure = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)
