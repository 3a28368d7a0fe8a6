import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Network } from 'jcs-ct'
import { alternate, rounded, summarize } from './harness'
import type { Job, Settings } from './job'
import type { EngineResult, Measurement } from './results'

interface DistributedCase {
  network: Network
  width: number
  task: 'classification' | 'segmentation'
  batch: number
  size: number
}

const cases: readonly DistributedCase[] = [
  { network: 'res2net50-v1b', width: 1, task: 'classification', batch: 8, size: 224 },
  { network: 'jcs-segmentation', width: 0.25, task: 'segmentation', batch: 4, size: 256 },
]
const processes = 2
const steps = 8

export const distributedJobs = ({ repetitions }: Settings): Job[] =>
  cases.map((benchmark) => {
    const { network, batch, size } = benchmark
    const name = `distributed/${network}/${batch}x${size}`
    return { name, quick: false, measure: () => measureDistributed(name, benchmark, repetitions) }
  })

/** A step of several processes of one thread each, beside the step of one such process with the same batch. */
async function measureDistributed(
  name: string,
  benchmark: DistributedCase,
  repetitions: number,
): Promise<Measurement> {
  const { network, batch, size } = benchmark
  const results: EngineResult[] = []
  for (const precision of ['fp32', 'bf16']) {
    const times = await alternate(
      [1, processes].map((count) => ({
        name: String(count),
        sample: () => stepMs(benchmark, precision, count),
      })),
      { warmups: 0, repetitions },
    )
    const [alone, together] = [times.get('1')!, times.get(String(processes))!]
    const ratios = together.samples.map((ms, round) => ms / alone.samples[round]!)
    const settings = {
      processes,
      aloneMs: alone.median,
      togetherMs: together.median,
      throughput: rounded((processes * alone.median) / together.median),
    }
    results.push({ engine: 'jcs-ct', precision, settings, ...summarize(ratios) })
  }
  return { name, kind: 'distributed', unit: 'ratio', network, batch, size, threads: 1, results }
}

async function stepMs(
  { network, width, ...rest }: DistributedCase,
  precision: string,
  count: number,
): Promise<number> {
  const options = JSON.stringify({ ...rest, spec: { network, width }, precision, steps })
  const node = [process.execPath, join(__dirname, 'rank.mjs'), options]
  const mpirun = [
    'mpirun',
    '--allow-run-as-root',
    '--oversubscribe',
    '--bind-to',
    'none',
    '-n',
    String(count),
  ]
  const [program = '', ...args] = count > 1 ? [...mpirun, ...node] : node
  const { stdout } = await promisify(execFile)(program, args)
  const ms = Number(stdout)
  if (!(ms > 0)) throw new Error(`a step of ${count} took '${stdout}' ms`)
  return ms
}
