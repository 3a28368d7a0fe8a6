import type { Tensor as JcsTensor } from 'jcs-ct'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { Outputs } from '../agreement'

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
