import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createModel, type Model, type Network } from 'jcs-ct'
import { noiseImages, type Outputs, relativeError } from './agreement'
import { type AlternateOptions, alternate } from './harness'
import { openOnnxRuntime } from './peers/onnxruntime'
import type { EngineResult, Measurement } from './results'

export interface InferenceCase {
  network: Network
  batch: number
  size: number
  /**
   * Of the input. Random weights without batch norm's damping let signals grow with depth, and a sigmoid that is
   * saturated everywhere would agree with anything. Default 1.
   */
  contrast?: number
  /** Part of `--quick`. */
  quick?: boolean
}

/** The published networks at full width, as the authors' code builds them. */
export const inferenceCases: readonly InferenceCase[] = [
  { network: 'res2net50-v1b', batch: 1, size: 224, quick: true },
  { network: 'res2net50-v1b', batch: 16, size: 224 },
  { network: 'res2net101-v1b', batch: 1, size: 224 },
  { network: 'jcs-segmentation', batch: 1, size: 512, quick: true },
  { network: 'jcs-joint', batch: 1, size: 512, contrast: 1e-8 },
  { network: 'unet', batch: 1, size: 512 },
]

/** Beyond these the two engines did not do the same work, and the times mean nothing. */
const tolerance: Record<string, number> = { fp32: 1e-3, bf16: 0.1 }

export const inferenceName = ({ network, batch, size }: InferenceCase): string =>
  `inference/${network}/${batch}x${size}`

/**
 * Our engine in float32 and bfloat16 against ONNX Runtime in float32, the best that it has on CPUs, on the file that
 * `exportOnnx` writes of the same weights.
 */
export async function measureInference(
  benchmark: InferenceCase,
  threads: number,
  options: AlternateOptions,
): Promise<Measurement> {
  const { network, batch, size } = benchmark
  const directory = mkdtempSync(join(tmpdir(), 'jcs-bench-'))
  const models: Model[] = []
  const sessions: Awaited<ReturnType<typeof openOnnxRuntime>>[] = []
  try {
    const exported = join(directory, 'network.onnx')
    const spec = { network, variant: network === 'unet' ? undefined : ('authors' as const) }
    for (const precision of ['fp32', 'bf16'] as const) {
      const model = await createModel(spec, { device: 'cpu', precision, threads, seed: 1 })
      if (model.precision === precision) models.push(model)
      else await model.dispose() // a precision that falls back would be measured twice
    }
    await models[0]!.exportOnnx(exported, { batch, height: size, width: size })
    for (const spinning of [true, false])
      sessions.push(await openOnnxRuntime(exported, { threads, spinning }))

    const images = noiseImages(batch, size, benchmark.contrast ?? 1)
    const expected = await sessions[0]!.run(images)
    requireTelling(network, expected)
    const errors = new Map<string, number>()
    for (const model of models) errors.set(model.precision, await checkAgreement(model, images, expected))
    const { steps } = await models[0]!.profile({ batch, height: size, width: size })
    const gigaflops = steps.reduce((sum, { flops }) => sum + flops, 0) / 1e9

    const timings = await alternate(
      [
        ...models.map((model) => ({ name: model.precision, run: () => model.forward(images) })),
        ...sessions.map((session, index) => ({ name: `peer ${index}`, run: () => session.run(images) })),
      ],
      options,
    )
    const rate = (medianMs: number) => Number((gigaflops / (medianMs / 1000)).toFixed(1))
    const results: EngineResult[] = models.map(({ precision }) => {
      const timing = timings.get(precision)!
      const gigaflopsPerSecond = rate(timing.medianMs)
      return {
        engine: 'jcs-ct',
        precision,
        gigaflopsPerSecond,
        relativeError: errors.get(precision)!,
        ...timing,
      }
    })
    const [spinning, waiting] = [timings.get('peer 0')!, timings.get('peer 1')!]
    const best = spinning.medianMs <= waiting.medianMs ? spinning : waiting
    results.push({
      engine: 'onnxruntime-node',
      precision: 'fp32',
      settings: {
        graphOptimizationLevel: 'all',
        spinning: best === spinning,
        otherMedianMs: (best === spinning ? waiting : spinning).medianMs,
      },
      gigaflopsPerSecond: rate(best.medianMs),
      ...best,
    })
    return {
      name: inferenceName(benchmark),
      kind: 'inference',
      network,
      batch,
      size,
      gigaflops: Number(gigaflops.toFixed(2)),
      results,
    }
  } finally {
    for (const model of models) await model.dispose()
    for (const session of sessions) await session.release()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Probabilities that are 0 or 1 all over tell nothing. */
function requireTelling(network: Network, { side1 }: Outputs): void {
  if (!side1) return
  const spread = side1.data.reduce((sum, p) => sum + p * (1 - p), 0) / side1.data.length
  if (spread < 0.01) throw new Error(`${network}: the final map is saturated; give the input less contrast`)
}

async function checkAgreement(model: Model, images: Parameters<Model['forward']>[0], expected: Outputs) {
  const error = relativeError(await model.forward(images), expected)
  if (!(error <= tolerance[model.precision]!)) {
    throw new Error(
      `${model.spec.network} in ${model.precision} differs from ONNX Runtime by ${error.toExponential(2)}, more than ` +
        `${tolerance[model.precision]}: the two do not compute the same`,
    )
  }
  return Number(error.toExponential(3))
}
