import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createModel, devices, loadModel, type Model, type Pixels, quantize } from 'jcs-ct'
import { rooflineOf } from '../ts/model/roofline'
import { noiseImages } from './agreement'
import { alternate, timed } from './harness'
import { type InferenceCase, inferenceCases, largestParts, variantOf } from './inference'
import type { Job, Settings } from './job'
import { openOnnxRuntimeBothWays } from './peers/onnxruntime'
import type { EngineResult, Measurement } from './results'

/** Only where the processor multiplies bytes: elsewhere there is nothing to gain, and products are loops. */
export function int8Jobs(settings: Settings): Job[] {
  if (!devices().some(({ name, int8 }) => name === 'cpu' && int8 === true)) return []
  return inferenceCases
    .filter(({ network }) => network !== 'unet') // half of it is transposed convolutions, which stay as they are
    .map((benchmark) => {
      const { network, batch, size, quick = false } = benchmark
      const name = `int8/${network}/${batch}x${size}`
      return { name, quick, measure: () => measureInt8(name, benchmark, settings) }
    })
}

/**
 * Our engine in 8 bits and in what it is fastest at without them, against ONNX Runtime on the QDQ file that
 * `exportOnnx` writes of the same quantised model. Random weights say nothing of accuracy, which
 * experiments/quantization.mjs measures: layers are left only where 8 bits are no faster.
 */
async function measureInt8(
  name: string,
  { network, batch, size }: InferenceCase,
  { threads, repetitions }: Settings,
): Promise<Measurement> {
  const directory = mkdtempSync(join(tmpdir(), 'jcs-bench-'))
  const models: Model[] = []
  let session: Awaited<ReturnType<typeof openOnnxRuntimeBothWays>> | undefined
  try {
    const runtime = { device: 'cpu', threads } as const
    const file = join(directory, 'quantised.safetensors')
    const exported = join(directory, 'quantised.onnx')
    const created = await createModel({ network, variant: variantOf(network) }, { ...runtime, seed: 1 })
    const { layers } = await quantize(created, [noisePicture(size)], { largestChange: 1 })
    await created.save(file)
    await created.exportOnnx(exported, { batch, height: size, width: size })
    await created.dispose()
    for (const precision of ['int8', 'fp32', 'bf16'] as const) {
      const model = await loadModel(file, { ...runtime, precision })
      if (model.precision === precision) models.push(model)
      else await model.dispose()
    }
    session = await openOnnxRuntimeBothWays(exported, threads)
    const images = noiseImages(batch, size, 1)
    const profile = await models[0]!.profile({ batch, height: size, width: size })
    const roofline = rooflineOf(profile, await models[0]!.peaks())
    const gigaflops = profile.steps.reduce((sum, { flops }) => sum + flops, 0) / 1e9
    const times = await alternate(
      [
        ...models.map((model) => ({ name: model.precision, sample: timed(() => model.forward(images)) })),
        ...session.subjects(images),
      ],
      { warmups: 1, repetitions },
    )
    const left = layers.filter(({ leftFor }) => leftFor).length
    const ours = models.map(
      ({ precision }): EngineResult => ({
        engine: 'jcs-ct',
        precision,
        ...(precision === 'int8' && {
          settings: { layers: layers.length, left },
          roofline: largestParts(roofline),
        }),
        ...times.get(precision)!,
      }),
    )
    return {
      name,
      kind: 'int8',
      unit: 'ms',
      network,
      batch,
      size,
      gigaflops: Number(gigaflops.toFixed(2)),
      results: [...ours, { engine: 'onnxruntime-node', precision: 'int8', ...session.faster(times) }],
    }
  } finally {
    for (const model of models) await model.dispose()
    await session?.release()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Uniform noise, the same in every run. */
function noisePicture(size: number): Pixels {
  const { data } = noiseImages(1, size, 1)
  const bytes = Uint8Array.from(data.subarray(0, size * size), (value) => (value + 2) * 63.75)
  return { data: bytes, width: size, height: size }
}
