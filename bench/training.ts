import { type Network, type Precision, type Sample, train } from 'jcs-ct'
import { alternate, summarize, type Timing } from './harness'
import { openPyTorch } from './peers/pytorch'
import type { EngineResult, Measurement } from './results'

export interface TrainingCase {
  network: Network
  task: 'classification' | 'segmentation'
  batch: number
  size: number
  quick?: boolean
}

export const trainingCases: readonly TrainingCase[] = [
  { network: 'res2net50-v1b', task: 'classification', batch: 16, size: 224, quick: true },
  { network: 'jcs-segmentation', task: 'segmentation', batch: 1, size: 512 },
]

export interface TrainingOptions {
  warmups: number
  repetitions: number
  /** A Python that has torch; without one there is no peer. */
  python?: string | undefined
}

export const trainingName = ({ network, batch, size }: TrainingCase): string =>
  `training/${network}/${batch}x${size}`

/**
 * A whole optimiser step: forward, loss, backward, update, batch norm by the batch's statistics. Augmentation, mixing
 * and the activation loss are off, for the peer has none.
 */
export async function measureTraining(
  benchmark: TrainingCase,
  threads: number,
  options: TrainingOptions,
): Promise<Measurement> {
  const { network, batch, size } = benchmark
  const results: EngineResult[] = []
  for (const precision of ['fp32', 'bf16'] as const) {
    const measured = await timeSteps(benchmark, precision, threads, options)
    if (measured.precision === precision) results.push({ engine: 'jcs-ct', ...measured })
  }
  if (options.python)
    results.push(...(await measurePeer(benchmark, threads, { ...options, python: options.python })))
  return { name: trainingName(benchmark), kind: 'training', network, batch, size, results }
}

/** Steps as `train` takes them, each timed by the event that follows it. */
async function timeSteps(
  { network, task, batch, size }: TrainingCase,
  precision: Precision,
  threads: number,
  { warmups, repetitions }: TrainingOptions,
): Promise<Timing & { precision: string }> {
  const ends: { iteration: number; ms: number }[] = []
  const run = train({
    task,
    spec: { network, variant: 'authors' },
    data: { train: noiseSamples(task, batch, size) },
    device: 'cpu',
    precision,
    threads,
    iterations: warmups + repetitions + 1,
    batchSize: batch,
    microBatch: batch,
    inputSize: size,
    augmentation: false,
    batchNorm: 'batch',
    loaderThreads: 1,
    ...(task === 'classification' && { mixup: { alpha: 0 }, activationLoss: false }),
    onProgress(event) {
      if (event.phase === 'train') ends.push({ iteration: event.iteration, ms: performance.now() })
    },
  })
  const { model } = await run
  const { precision: used } = model
  await model.dispose()
  const steps = ends.flatMap(({ iteration, ms }, index) => {
    const before = ends[index - 1]
    return before && before.iteration > warmups ? [(ms - before.ms) / (iteration - before.iteration)] : []
  })
  return { ...summarize(steps), precision: used }
}

/** Gray noise; every second slice is infected, and lesions are discs. */
function noiseSamples(task: TrainingCase['task'], count: number, size: number): Sample[] {
  let state = 7
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const radius = size / 8
  return Array.from({ length: Math.max(count, 2) }, (_, index): Sample => {
    const image = {
      data: Uint8Array.from({ length: size * size }, () => random() * 256),
      width: size,
      height: size,
    }
    if (task === 'classification') return { image, label: index % 2 === 1 ? 1 : 0 }
    const mask = Uint8Array.from({ length: size * size }, (_, pixel) => {
      const [x, y] = [(pixel % size) - size / 2, Math.floor(pixel / size) - size / 2]
      return x * x + y * y < radius * radius ? 255 : 0
    })
    return { image, mask: { data: mask, width: size, height: size } }
  })
}

async function measurePeer(
  { network, batch, size }: TrainingCase,
  threads: number,
  { python, warmups, repetitions }: TrainingOptions & { python: string },
): Promise<EngineResult[]> {
  const peer = await openPyTorch(python, { network, batch, size, threads })
  try {
    const subjects = (['fp32', 'bf16'] as const).map((name) => ({ name, run: () => peer.step(name) }))
    const timings = await alternate(subjects, { warmups, repetitions })
    return [...timings].map(([precision, timing]) => ({
      engine: 'pytorch',
      precision,
      settings: {
        mode: 'eager',
        autocast: precision === 'bf16',
        memoryFormat: 'channels_last',
        version: peer.version,
      },
      ...timing,
    }))
  } finally {
    peer.close()
  }
}
