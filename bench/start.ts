import type { Network } from 'jcs-ct'
import { type FirstSlice, withStarters } from './fresh-process'
import { alternate, summarize } from './harness'
import type { Job, Settings } from './job'
import type { Measurement } from './results'

interface StartCase {
  network: Network
  size: number
  quick?: boolean
}

const cases: readonly StartCase[] = [
  { network: 'res2net50-v1b', size: 224, quick: true },
  { network: 'jcs-segmentation', size: 512 },
  { network: 'jcs-joint', size: 512 },
]

const processes = 5

const preparations = { start: 'unprepared', restart: 'prepared' } as const
type StartKind = keyof typeof preparations

export const startJobs = (settings: Settings): Job[] => jobs('start', settings)
export const restartJobs = (settings: Settings): Job[] => jobs('restart', settings)

const jobs = (kind: StartKind, { threads }: Settings): Job[] =>
  cases.map((benchmark) => {
    const { network, size, quick = false } = benchmark
    const name = `${kind}/${network}/1x${size}`
    return { name, quick, measure: () => measureStart(name, kind, benchmark, threads) }
  })

/** From the first import of a fresh process to the first slice's result; the file lies in the system's cache. */
async function measureStart(
  name: string,
  kind: StartKind,
  { network, size }: StartCase,
  threads: number,
): Promise<Measurement> {
  return withStarters(network, size, threads, preparations[kind], async (starters) => {
    const imports = new Map<string, number[]>(starters.map(({ name }) => [name, []]))
    const spreads = await alternate(
      starters.map(({ name, engine, start }) => ({
        name,
        async sample() {
          const first = await start()
          imports.get(name)?.push(first.importMs)
          return countedMs(engine, first)
        },
      })),
      { warmups: 1, repetitions: processes },
    )
    return {
      name,
      kind,
      unit: 'ms',
      network,
      batch: 1,
      size,
      note: 'Of ONNX Runtime without its import.',
      results: starters.map(({ name, engine, precision }) => ({
        engine,
        precision,
        settings: { importMs: summarize(imports.get(name)!).median },
        ...spreads.get(name)!,
      })),
    }
  })
}

/** The peer is spared its import, which it might do while something else goes on. */
const countedMs = (engine: string, { importMs, loadAndRunMs }: FirstSlice): number =>
  engine === 'jcs-ct' ? importMs + loadAndRunMs : loadAndRunMs
