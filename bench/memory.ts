import type { Network } from 'jcs-ct'
import { withStarters } from './fresh-process'
import { alternate, summarize } from './harness'
import type { Job, Settings } from './job'
import { openIfPossible } from './peers/pytorch'
import type { EngineResult, Measurement } from './results'

interface MemoryCase {
  network: Network
  size: number
  quick?: boolean
}

const cases: readonly MemoryCase[] = [
  { network: 'res2net50-v1b', size: 224, quick: true },
  { network: 'res2net101-v1b', size: 224 },
  { network: 'jcs-segmentation', size: 512 },
  { network: 'jcs-joint', size: 512 },
  { network: 'unet', size: 512 },
  { network: 'dss', size: 512 },
  { network: 'poolnet', size: 512 },
  { network: 'egnet', size: 512 },
]

export const memoryJobs = (settings: Settings): Job[] =>
  cases.map((benchmark) => {
    const { network, size, quick = false } = benchmark
    const name = `memory/${network}/1x${size}`
    return { name, quick, measure: () => measureMemory(name, benchmark, settings) }
  })

/** What is resident at most of a process that loads a network and runs one slice. Hardly varies: few samples do. */
async function measureMemory(
  name: string,
  { network, size }: MemoryCase,
  { threads, repetitions, python }: Settings,
): Promise<Measurement> {
  const results = await withStarters(
    network,
    size,
    threads,
    'unprepared',
    async (starters): Promise<EngineResult[]> => {
      const spreads = await alternate(
        starters.map(({ name, start }) => ({ name, sample: async () => (await start()).peakMiB })),
        { warmups: 0, repetitions: Math.min(repetitions, 3) },
      )
      return starters.map(({ name, engine, precision }) => ({ engine, precision, ...spreads.get(name)! }))
    },
  )
  for (const [mode, engine, precision] of [
    ['eager', 'pytorch', 'fp32'],
    ['compiled', 'torch.compile', 'bf16'],
  ] as const) {
    const options = { network, batch: 1, size, threads, mode }
    const peer = await openIfPossible(python, 'pytorch_inference.py', options)
    peer?.close()
    if (peer?.peakBytes !== undefined)
      results.push({ engine, precision, ...summarize([peer.peakBytes / 2 ** 20]) })
  }
  const note = 'Memory of torch.compile is that of compiling, too: there is no other way to its first slice.'
  return { name, kind: 'memory', unit: 'MiB', network, batch: 1, size, note, results }
}
