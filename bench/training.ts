import { type Network, type Precision, type Sample, train } from 'jcs-ct'
import { alternate, type Spread, summarize, timed } from './harness'
import type { Job, Settings } from './job'
import { openIfPossible } from './peers/pytorch'
import type { EngineResult, Measurement } from './results'

interface TrainingCase {
  network: Network
  task: 'classification' | 'segmentation'
  batch: number
  size: number
  quick?: boolean
}

const cases: readonly TrainingCase[] = [
  { network: 'res2net50-v1b', task: 'classification', batch: 16, size: 224, quick: true },
  { network: 'jcs-segmentation', task: 'segmentation', batch: 1, size: 512 },
]

export const trainingJobs = (settings: Settings): Job[] =>
  cases.map((benchmark) => {
    const { network, batch, size, quick = false } = benchmark
    const name = `training/${network}/${batch}x${size}`
    return { name, quick, measure: () => measureTraining(name, benchmark, settings) }
  })

const warmups = 1

/**
 * A whole optimiser step: forward, loss, backward, update, batch norm by the batch's statistics. Augmentation, mixing
 * and the activation loss are off, for the peer has none.
 */
async function measureTraining(
  name: string,
  benchmark: TrainingCase,
  settings: Settings,
): Promise<Measurement> {
  const { network, batch, size } = benchmark
  const results: EngineResult[] = []
  for (const precision of ['fp32', 'bf16'] as const) {
    const measured = await timeSteps(benchmark, precision, settings)
    if (measured.precision === precision) results.push({ engine: 'jcs-ct', ...measured })
  }
  results.push(...(await measurePeer(benchmark, settings)))
  return { name, kind: 'training', unit: 'ms', network, batch, size, results }
}

/** Steps as `train` takes them, each timed by the event that follows it. */
async function timeSteps(
  { network, task, batch, size }: TrainingCase,
  precision: Precision,
  { threads, repetitions }: Settings,
): Promise<Spread & { precision: string }> {
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

/** Eager PyTorch, as people train with it. */
async function measurePeer(
  { network, batch, size }: TrainingCase,
  { threads, repetitions, python }: Settings,
): Promise<EngineResult[]> {
  const peer = await openIfPossible(python, 'pytorch_step.py', { network, batch, size, threads })
  if (!peer) return []
  try {
    const subjects = (['fp32', 'bf16'] as const).map((name) => ({
      name,
      sample: timed(() => peer.run(name)),
    }))
    const times = await alternate(subjects, { warmups, repetitions })
    return [...times].map(([precision, spread]) => ({
      engine: 'pytorch',
      precision,
      settings: { mode: 'eager', autocast: precision === 'bf16', memoryFormat: 'channels_last' },
      ...spread,
    }))
  } finally {
    peer.close()
  }
}
