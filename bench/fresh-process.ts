import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createModel, type Network } from 'jcs-ct'
import { variantOf } from './inference'
import type { EngineResult } from './results'

const execute = promisify(execFile)

export interface FirstSlice {
  importMs: number
  /** Of the file, until the first slice has its result. */
  loadAndRunMs: number
  peakMiB: number
}

/** An engine that a fresh process can be started with: bench/first-slice.mjs. */
export interface Starter {
  /** As tables show it. */
  name: string
  engine: EngineResult['engine']
  precision: string
  start(): Promise<FirstSlice>
}

/** Whether a process of ours finds what an earlier one has prepared of the file. */
export type Preparation = 'unprepared' | 'prepared'

/**
 * Ours in both precisions and ONNX Runtime, on files of the same weights, which `use` may start while it runs; a first start
 * of each prepares what others find.
 */
export async function withStarters<T>(
  network: Network,
  size: number,
  threads: number,
  preparation: Preparation,
  use: (starters: Starter[]) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'jcs-bench-'))
  try {
    const [ours, exported] = [join(directory, 'network.safetensors'), join(directory, 'network.onnx')]
    const precisions = await writeFiles(network, size, ours, exported)
    const starter = (engine: EngineResult['engine'], precision: string, file: string): Starter => ({
      name: `${engine} ${precision}`,
      engine,
      precision,
      async start() {
        const options = JSON.stringify({ engine, file, precision, threads, size })
        const script = join(__dirname, 'first-slice.mjs')
        const limit = preparation === 'unprepared' ? { JCS_PREPARED_MIB: '0' } : {}
        const env = { ...process.env, JCS_CACHE: directory, ...limit }
        const { stdout } = await execute(process.execPath, [script, options], { env })
        return JSON.parse(stdout) as FirstSlice
      },
    })
    return await use([
      ...precisions.map((precision) => starter('jcs-ct', precision, ours)),
      starter('onnxruntime-node', 'fp32', exported),
    ])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Gives the precisions that there are here. */
async function writeFiles(network: Network, size: number, ours: string, exported: string): Promise<string[]> {
  await using model = await createModel({ network, variant: variantOf(network) }, { device: 'cpu', seed: 1 })
  await model.save(ours)
  await model.exportOnnx(exported, { height: size, width: size })
  return model.precision === 'bf16' ? ['fp32', 'bf16'] : ['fp32']
}
