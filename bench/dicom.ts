import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { promisify } from 'node:util'
import { classify, createModel, diagnose, openCase, segment } from 'jcs-ct'
import { decodeAll } from '../ts/images'
import { alternate, elapsedMs, rounded, summarize } from './harness'
import type { Job, Settings } from './job'
import type { Measurement } from './results'

/** A whole chest CT as a scanner wrote it: 154 slices in lossless JPEG. It is not part of the project. */
const folder = join(
  process.env.JCS_SHARED ?? join(__dirname, '../../shared'),
  'data/dicom/covid-ct-md/normal-001',
)
const size = 512
const width = 0.125
const classifierNetwork = 'res2net50-v1b'
const segmenterNetwork = 'jcs-segmentation'

/** None where the data are absent; without GDCM for Python, decoding has no peer. */
export const dicomJobs = (settings: Settings): Job[] =>
  existsSync(folder)
    ? [
        { name: `decoding/dicom/154x${size}`, quick: true, measure: () => measureDecoding(settings) },
        { name: `case/dicom/154x${size}/width-${width}`, quick: false, measure: () => measureCase(settings) },
      ]
    : []

async function measureDecoding({ threads, repetitions }: Settings): Promise<Measurement> {
  const files = readdirSync(folder).map((file) => join(folder, file))
  const own = { name: 'jcs-ct', sample: () => elapsedMs(() => decodeFolder()) }
  const gdcm = {
    name: 'gdcm',
    sample: async () => {
      const script = join(__dirname, 'peers/decode_with_gdcm.py')
      return Number(
        (await promisify(execFile)('/usr/bin/python3', [script, String(threads), ...files])).stdout,
      )
    },
  }
  const hasGdcm = existsSync('/usr/lib/python3/dist-packages/gdcm.py')
  const spreads = await alternate(hasGdcm ? [own, gdcm] : [own], { warmups: 1, repetitions })
  return {
    name: `decoding/dicom/154x${size}`,
    kind: 'decoding',
    unit: 'ms',
    network: 'lossless JPEG',
    batch: files.length,
    size,
    results: [...spreads].map(([engine, spread]) => ({
      engine: engine as 'jcs-ct' | 'gdcm',
      precision: 'int16',
      ...spread,
    })),
  }
}

/**
 * From a scanner's folder to a diagnosis, over the processor time of decoding and of both networks alone, divided by the
 * threads: 1 where no processor ever waits.
 */
async function measureCase({ threads, repetitions }: Settings): Promise<Measurement> {
  const options = { device: 'cpu' as const, threads, seed: 1 }
  const variant = 'authors' as const
  await using classifier = await createModel({ network: classifierNetwork, variant, width }, options)
  await using segmenter = await createModel({ network: segmenterNetwork, variant, width }, options)
  const models = { classifier, segmenter }
  // Random weights know nothing: thresholds make the case positive, so that all of it is segmented.
  const positive = { sliceThreshold: 0, classificationThreshold: 0 }
  await diagnose(models, folder, positive)

  const ratios: number[] = []
  const totals: number[] = []
  const decoding: number[] = []
  const networks: number[] = []
  const delay = monitorEventLoopDelay({ resolution: 1 })
  for (let round = 0; round < repetitions; round++) {
    decoding.push(await processorMs(() => decodeFolder()))
    using scan = openCase(folder)
    for await (const _ of scan.indices(undefined));
    networks.push(
      await processorMs(async () => {
        await classify(classifier, scan)
        await segment(segmenter, scan)
      }),
    )
    delay.enable()
    totals.push(await elapsedMs(() => diagnose(models, folder, positive)))
    delay.disable()
    ratios.push(totals.at(-1)! / ((decoding.at(-1)! + networks.at(-1)!) / threads))
  }
  return {
    name: `case/dicom/154x${size}/width-${width}`,
    kind: 'dicom',
    unit: 'ratio',
    network: `${classifierNetwork}, ${segmenterNetwork}`,
    batch: 154,
    size,
    results: [
      {
        engine: 'jcs-ct',
        precision: classifier.precision,
        settings: {
          totalMs: rounded(summarize(totals).median),
          decodingProcessorMs: rounded(summarize(decoding).median),
          networksProcessorMs: rounded(summarize(networks).median),
          eventLoopDelayP99Ms: rounded(delay.percentile(99) / 1e6),
        },
        ...summarize(ratios),
      },
    ],
  }
}

async function decodeFolder(): Promise<void> {
  for await (const _ of decodeAll(folder));
}

/** Of all threads of this process. */
async function processorMs(work: () => PromiseLike<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
