import type { Tensor as JcsTensor } from 'jcs-ct'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { Outputs } from '../agreement'
import { type Spread, type Subject, timed } from '../harness'
import type { EngineResult } from '../results'

export interface OnnxRuntimeOptions {
  threads: number
  /**
   * Whether idle threads of the pool spin. Which is faster depends on the network and the machine, so both are tried.
   * Spinning ends with the run: what runs next is not robbed of its cores.
   */
  spinning: boolean
}

/** ONNX Runtime at its best on a file: all of its optimisations, fixed shapes, as many threads as we use. */
export async function openOnnxRuntime(path: string, { threads, spinning }: OnnxRuntimeOptions) {
  const session = await InferenceSession.create(path, {
    executionProviders: ['cpu'],
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: {
      session: { intra_op: { allow_spinning: spinning ? '1' : '0' }, force_spinning_stop: '1' },
    },
  })
  return {
    async run({ data, shape }: JcsTensor): Promise<Outputs> {
      const outputs = await session.run({ image: new Tensor('float32', data, shape) })
      return Object.fromEntries(
        Object.entries(outputs).map(([name, tensor]) => [name, { data: tensor.data as Float32Array }]),
      )
    },
    release: () => session.release(),
  }
}

/** A file in two sessions, whose threads spin or wait: both are measured, and the faster one counts. */
export async function openOnnxRuntimeBothWays(path: string, threads: number) {
  const ways = [true, false]
  const sessions: Awaited<ReturnType<typeof openOnnxRuntime>>[] = []
  for (const spinning of ways) sessions.push(await openOnnxRuntime(path, { threads, spinning }))
  const subjectOf = (spinning: boolean) => `${path}, ${spinning ? 'spinning' : 'waiting'}`
  return {
    run: (images: JcsTensor): Promise<Outputs> => sessions[0]!.run(images),
    subjects: (images: JcsTensor): Subject[] =>
      sessions.map((session, i) => ({ name: subjectOf(ways[i]!), sample: timed(() => session.run(images)) })),
    /** Of what `alternate` gave for these subjects. */
    faster(times: ReadonlyMap<string, Spread>): Spread & Pick<EngineResult, 'settings'> {
      const [spinning, waiting] = [times.get(subjectOf(true))!, times.get(subjectOf(false))!]
      const spins = spinning.median <= waiting.median
      const [faster, other] = spins ? [spinning, waiting] : [waiting, spinning]
      return {
        settings: { graphOptimizationLevel: 'all', spinning: spins, otherMedian: other.median },
        ...faster,
      }
    },
    async release(): Promise<void> {
      for (const session of sessions) await session.release()
    },
  }
}
