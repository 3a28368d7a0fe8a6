import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type BatchEvent,
  classify,
  createModel,
  createService,
  generateCase,
  JcsError,
  type Model,
  type Network,
  type Pixels,
  type Priority,
  type Service,
  segment,
} from 'jcs-ct'
import { elapsedMs, rounded, summarize } from './harness'
import type { Job, Settings } from './job'
import type { Measurement } from './results'

interface ServiceCase {
  network: Network
  /** As many as keep the network busy for a second or two. */
  slices: number
  quick?: boolean
}

const cases: readonly ServiceCase[] = [
  { network: 'res2net50-v1b', slices: 128, quick: true },
  { network: 'jcs-segmentation', slices: 12 },
]

const overload = 10
/** How long that lasts, in full batches; some time must pass however short these are. */
const overloadBatches = 6
const leastOverloadMs = 4000
const tickMs = 10

/** A service over a model at full width, and what it is compared with. */
interface Scene {
  name: string
  model: Model
  service: Service
  slices: readonly Pixels[]
  ask: (slice: Pixels, options?: { signal?: AbortSignal; priority?: Priority }) => Promise<unknown>
  bare: (slices: readonly Pixels[]) => Promise<unknown>
}

const measurements = {
  throughput: measureThroughput,
  'event-loop': measureEventLoop,
  abort: measureAbort,
  lone: measureLone,
} as const

export const serviceJobs = (settings: Settings): Job[] =>
  cases.flatMap((benchmark) =>
    Object.entries(measurements).map(([what, measure]) => ({
      name: `service/${what}/${benchmark.network}`,
      quick: benchmark.quick ?? false,
      measure: () => inScene(benchmark, settings, (scene) => measure(scene, settings)),
    })),
  )

async function inScene(
  { network, slices: count }: ServiceCase,
  { threads }: Settings,
  measure: (scene: Scene) => Promise<Measurement>,
): Promise<Measurement> {
  const variant = 'authors' as const
  await using model = await createModel({ network, variant }, { device: 'cpu', threads, seed: 1 })
  const { slices } = generateCase(1, { infected: true, slices: 8, size: 512 })
  const pixels = Array.from({ length: count }, (_, index) => slices[index % slices.length]!.pixels)
  const isClassifier = model.task === 'classification'
  // As many as keep the network busy: what waits when the load ends is served, and would be waited for.
  const limits = { maxActive: isClassifier ? 32 : 8, maxQueue: 8 }
  await using service = await createService({
    ...(isClassifier ? { classifier: model } : { segmenter: model }),
    ...limits,
  })
  return await measure({
    name: network,
    model,
    service,
    slices: pixels,
    ask: (slice, options) =>
      isClassifier ? service.classify(slice, options) : service.segment(slice, options),
    bare: (some) => (isClassifier ? classify(model, some) : segment(model, some)),
  })
}

/**
 * Ten times as many requests of a slice as the network does, for a while. What a slice takes is read between the ends of
 * the first full batch and of the last one: neither how it starts nor what is underway when time is up counts.
 */
async function underOverload(
  scene: Scene,
  offlineMs: number,
  meanwhile: (until: number) => Promise<void> = async () => {},
): Promise<{ msPerSlice: number; refused: number }> {
  const fullBatch = scene.model.task === 'classification' ? 16 : 4 // the service's defaults
  const overloadMs = Math.max(leastOverloadMs, overloadBatches * fullBatch * offlineMs)
  const perTick = (overload * tickMs) / offlineMs
  const batches: { slices: number; endedAt: number }[] = []
  const onBatch = (message: unknown) => {
    batches.push({ slices: (message as BatchEvent).slices, endedAt: performance.now() })
  }
  subscribe('jcs-ct:service:batch', onBatch)
  let refused = 0
  let due = 0
  const asked = new Set<Promise<void>>()
  const startedAt = performance.now()
  const until = startedAt + overloadMs
  const other = meanwhile(until)
  for (let tick = 0; performance.now() < until; tick++) {
    for (due += perTick; due >= 1; due--) {
      const request = scene.ask(scene.slices[tick % scene.slices.length]!).then(
        () => {},
        (error) => {
          if (!(error instanceof JcsError && error.code === 'BUSY')) throw error
          refused++
        },
      )
      asked.add(request)
      request.finally(() => asked.delete(request))
    }
    await sleep(Math.max(0, startedAt + (tick + 1) * tickMs - performance.now()))
  }
  unsubscribe('jcs-ct:service:batch', onBatch)
  await other
  await Promise.all(asked)
  const [first, ...rest] = batches.slice(batches.findIndex(({ slices }) => slices === fullBatch))
  const slices = rest.reduce((sum, each) => sum + each.slices, 0)
  return { msPerSlice: (rest.at(-1)!.endedAt - first!.endedAt) / slices, refused }
}

const offlineMsPerSlice = async ({ bare, slices }: Scene): Promise<number> =>
  (await elapsedMs(() => bare(slices))) / slices.length

const measured = (scene: Scene, what: string): Pick<Measurement, 'name' | 'network' | 'batch' | 'size'> => ({
  name: `service/${what}/${scene.name}`,
  network: scene.name,
  batch: 1,
  size: 512,
})

async function measureThroughput(scene: Scene, { repetitions }: Settings): Promise<Measurement> {
  await offlineMsPerSlice(scene)
  const ratios: number[] = []
  const refused: number[] = []
  for (let round = 0; round < repetitions; round++) {
    const before = await offlineMsPerSlice(scene)
    const result = await underOverload(scene, before)
    const after = await offlineMsPerSlice(scene)
    ratios.push(result.msPerSlice / ((before + after) / 2))
    refused.push(result.refused)
  }
  return {
    ...measured(scene, 'throughput'),
    kind: 'service',
    unit: 'ratio',
    results: [
      {
        engine: 'jcs-ct',
        precision: scene.model.precision,
        settings: { refused: summarize(refused).median },
        ...summarize(ratios),
      },
    ],
  }
}

const response = (scene: Scene, what: string, samples: readonly number[]): Measurement => ({
  ...measured(scene, what),
  kind: 'response',
  unit: 'ms',
  results: [{ engine: 'jcs-ct', precision: scene.model.precision, ...summarize(samples) }],
})

async function measureEventLoop(scene: Scene, { repetitions }: Settings): Promise<Measurement> {
  const offlineMs = await offlineMsPerSlice(scene)
  const samples: number[] = []
  for (let round = 0; round < repetitions; round++) {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    await underOverload(scene, offlineMs)
    delay.disable()
    samples.push(delay.percentile(99) / 1e6)
  }
  return response(scene, 'event-loop', samples)
}

/** From the abort of a request to its rejection; of high priority, for others are mostly refused before. */
async function measureAbort(scene: Scene, { repetitions }: Settings): Promise<Measurement> {
  const offlineMs = await offlineMsPerSlice(scene)
  const samples: number[] = []
  for (let round = 0; round < repetitions; round++) {
    await underOverload(scene, offlineMs, async (until) => {
      while (performance.now() < until - 500) {
        await sleep(100)
        const controller = new AbortController()
        const request = scene.ask(scene.slices[0]!, { signal: controller.signal, priority: 'high' })
        const settled = request.then(
          () => undefined,
          () => performance.now(),
        )
        await sleep(20)
        const abortedAt = performance.now()
        controller.abort()
        const settledAt = await settled
        if (settledAt !== undefined && settledAt >= abortedAt) samples.push(settledAt - abortedAt)
      }
    })
  }
  return response(scene, 'abort', samples)
}

/** What a request to an idle service takes beyond a bare call, in turn with it. */
async function measureLone(scene: Scene, { repetitions }: Settings): Promise<Measurement> {
  const slice = scene.slices[0]!
  const differences: number[] = []
  for (let round = -1; round < 10 * repetitions; round++) {
    const bareMs = await elapsedMs(() => scene.bare([slice]))
    const ownMs = await elapsedMs(() => scene.ask(slice))
    if (round >= 0) differences.push(rounded(ownMs - bareMs))
  }
  return response(scene, 'lone', differences)
}
