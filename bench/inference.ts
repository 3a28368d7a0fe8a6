import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createModel, type Model, type Network } from 'jcs-ct'
import { type Roofline, rooflineOf } from '../ts/model/roofline'
import { noiseImages, type Outputs, relativeError } from './agreement'
import { alternate, type Spread, timed } from './harness'
import type { Job, Settings } from './job'
import { openOnnxRuntimeBothWays } from './peers/onnxruntime'
import { openIfPossible } from './peers/pytorch'
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
  /** Whether torch.compile is a peer: it takes minutes to compile. */
  compiled?: boolean
  /** Part of `--quick`. */
  quick?: boolean
}

/** The published networks at full width, as the authors' code builds them. */
export const inferenceCases: readonly InferenceCase[] = [
  { network: 'res2net50-v1b', batch: 1, size: 224, compiled: true, quick: true },
  { network: 'res2net50-v1b', batch: 16, size: 224, compiled: true },
  { network: 'res2net101-v1b', batch: 1, size: 224 },
  { network: 'jcs-segmentation', batch: 1, size: 512, compiled: true, quick: true },
  { network: 'jcs-joint', batch: 1, size: 512, contrast: 1e-8, compiled: true },
  { network: 'unet', batch: 1, size: 512 },
]

/** Beyond these the two engines did not do the same work, and the times mean nothing. */
const tolerance: Record<string, number> = { fp32: 1e-3, bf16: 0.1 }

export const inferenceJobs = (settings: Settings): Job[] =>
  inferenceCases.map((benchmark) => {
    const { network, batch, size, quick = false } = benchmark
    const name = `inference/${network}/${batch}x${size}`
    return { name, quick, measure: () => measureInference(name, benchmark, settings) }
  })

export const variantOf = (network: Network): 'authors' | undefined =>
  network === 'unet' ? undefined : 'authors'

/**
 * Our engine in float32 and bfloat16 against ONNX Runtime in float32, the best that it has on CPUs, on the file that
 * `exportOnnx` writes of the same weights; and against PyTorch compiled, where a Python has it.
 */
async function measureInference(
  name: string,
  benchmark: InferenceCase,
  { threads, repetitions, python }: Settings,
): Promise<Measurement> {
  const { network, batch, size } = benchmark
  const directory = mkdtempSync(join(tmpdir(), 'jcs-bench-'))
  const models: Model[] = []
  let session: Awaited<ReturnType<typeof openOnnxRuntimeBothWays>> | undefined
  const compiled = benchmark.compiled
    ? await openIfPossible(python, 'pytorch_inference.py', {
        network,
        batch,
        size,
        threads,
        mode: 'compiled',
      })
    : undefined
  try {
    const exported = join(directory, 'network.onnx')
    const spec = { network, variant: variantOf(network) }
    for (const precision of ['fp32', 'bf16'] as const) {
      const model = await createModel(spec, { device: 'cpu', precision, threads, seed: 1 })
      if (model.precision === precision) models.push(model)
      else await model.dispose() // a precision that falls back would be measured twice
    }
    await models[0]!.exportOnnx(exported, { batch, height: size, width: size })
    session = await openOnnxRuntimeBothWays(exported, threads)

    const images = noiseImages(batch, size, benchmark.contrast ?? 1)
    const expected = await session.run(images)
    requireTelling(network, expected)
    const errors = new Map<string, number>()
    for (const model of models) errors.set(model.precision, await checkAgreement(model, images, expected))
    const rooflines = new Map<string, Roofline>()
    for (const model of models) {
      const profile = await model.profile({ batch, height: size, width: size })
      rooflines.set(model.precision, rooflineOf(profile, await model.peaks()))
    }
    const { steps } = rooflines.get('fp32')!
    const gigaflops = steps.reduce((sum, { flops }) => sum + flops, 0) / 1e9

    const times = await alternate(
      [
        ...models.map((model) => ({ name: model.precision, sample: timed(() => model.forward(images)) })),
        ...session.subjects(images),
        ...(compiled ? [{ name: 'compiled', sample: timed(() => compiled.run()) }] : []),
      ],
      { warmups: 1, repetitions },
    )
    const resultOf = (
      engine: EngineResult['engine'],
      precision: string,
      { settings, ...spread }: Spread & Pick<EngineResult, 'settings'>,
      more: Pick<EngineResult, 'relativeError' | 'roofline'> = {},
    ): EngineResult => {
      const gigaflopsPerSecond = Number((gigaflops / (spread.median / 1000)).toFixed(1))
      return { engine, precision, ...(settings && { settings }), ...more, gigaflopsPerSecond, ...spread }
    }
    const compiledSettings = { mode: 'default', freezing: true, memoryFormat: 'channels_last' }
    return {
      name,
      kind: 'inference',
      unit: 'ms',
      network,
      batch,
      size,
      gigaflops: Number(gigaflops.toFixed(2)),
      results: [
        ...models.map(({ precision }) =>
          resultOf('jcs-ct', precision, times.get(precision)!, {
            relativeError: errors.get(precision)!,
            roofline: largestParts(rooflines.get(precision)!),
          }),
        ),
        resultOf('onnxruntime-node', 'fp32', session.faster(times)),
        ...(compiled
          ? [resultOf('torch.compile', 'bf16', { settings: compiledSettings, ...times.get('compiled')! })]
          : []),
      ],
    }
  } finally {
    for (const model of models) await model.dispose()
    await session?.release()
    compiled?.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

export const largestParts = ({ peaks, groups }: Roofline) => ({
  peaks,
  groups: groups.filter(({ share }) => share >= 0.01),
})

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
