import { createModel, type Model, type Network } from 'jcs-ct'
import { noiseImages } from './agreement'
import { summarize } from './harness'
import type { Job, Settings } from './job'
import type { EngineResult, Measurement } from './results'

interface OverheadCase {
  network: Network
  /** Of the slice that the overhead is a share of. */
  size: number
  quick?: boolean
}

const cases: readonly OverheadCase[] = [
  { network: 'res2net50-v1b', size: 224, quick: true },
  { network: 'jcs-segmentation', size: 512 },
]

const narrowWidth = 1 / 32
const tinySize = 32
const callsPerSample = 50

export const overheadJobs = (settings: Settings): Job[] =>
  cases.map((benchmark) => {
    const { network, size, quick = false } = benchmark
    const name = `overhead/${network}/1x${size}`
    return { name, quick, measure: () => measureOverhead(name, benchmark, settings) }
  })

/**
 * What a call of `forward` takes beyond the kernels: N-API, the queue, two changes of thread and a promise. A network so
 * narrow, on an image so small, that little else is left, less the time of its program's steps, as a share of a slice of
 * the network at full width.
 */
async function measureOverhead(
  name: string,
  { network, size }: OverheadCase,
  { threads, repetitions }: Settings,
): Promise<Measurement> {
  const spec = { network, variant: 'authors' as const }
  const options = { device: 'cpu' as const, threads, seed: 1 }
  await using full = await createModel(spec, options)
  await using narrow = await createModel({ ...spec, width: narrowWidth }, options)
  const sliceMs = await callMs(full, size, repetitions)
  await callMs(narrow, tinySize, 1)
  const calls: number[] = []
  const programs: number[] = []
  for (let i = 0; i < repetitions; i++) {
    calls.push(await callMs(narrow, tinySize, callsPerSample))
    programs.push(await programMs(narrow, callsPerSample))
  }
  const result: EngineResult = {
    engine: 'jcs-ct',
    precision: full.precision,
    settings: {
      sliceMs,
      callMs: summarize(calls).median,
      programMs: summarize(programs).median,
    },
    ...summarize(calls.map((call, i) => (100 * (call - programs[i]!)) / sliceMs)),
  }
  const note = `Overhead: a call less its program, of a network of width 1/${1 / narrowWidth} on an image of ${tinySize}×${tinySize}.`
  return { name, kind: 'overhead', unit: '% of a slice', network, batch: 1, size, note, results: [result] }
}

async function callMs(model: Model, size: number, calls: number): Promise<number> {
  const images = noiseImages(1, size, 1)
  await model.forward(images)
  const times: number[] = []
  for (let i = 0; i < calls; i++) {
    const start = performance.now()
    await model.forward(images)
    times.push(performance.now() - start)
  }
  return summarize(times).median
}

async function programMs(model: Model, runs: number): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < runs; i++) {
    const { steps } = await model.profile({ height: tinySize, width: tinySize })
    times.push(1000 * steps.reduce((sum, { seconds }) => sum + seconds, 0))
  }
  return summarize(times).median
}
