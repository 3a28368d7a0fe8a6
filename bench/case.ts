import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { classify, createModel, type DecodedImage, diagnose, generateCase, segment } from 'jcs-ct'
import sharp from 'sharp'
import { decodeAll } from '../ts/images'
import { elapsedMs, rounded, summarize } from './harness'
import type { Job, Settings } from './job'
import type { Measurement } from './results'

interface Case {
  slices: number
  size: number
  /** Of both networks. */
  width: number
  quick?: boolean
}

const cases: readonly Case[] = [
  { slices: 40, size: 128, width: 0.125, quick: true },
  { slices: 300, size: 512, width: 0.125 },
  { slices: 300, size: 512, width: 1 },
]

const classifierNetwork = 'res2net50-v1b'
const segmenterNetwork = 'jcs-segmentation'

export const caseJobs = ({ threads }: Settings): Job[] =>
  cases.map((benchmark) => {
    const { slices, size, width, quick = false } = benchmark
    const name = `case/${slices}x${size}${width === 1 ? '' : `/width-${width}`}`
    return { name, quick, measure: () => measureCase(name, benchmark, threads) }
  })

/**
 * A positive case from PNG files to its diagnosis, over the slower one of decoding alone and of both networks alone on
 * decoded slices: 1 where the faster one costs nothing. One sample, of hundreds of slices.
 */
async function measureCase(
  name: string,
  { slices, size, width }: Case,
  threads: number,
): Promise<Measurement> {
  const directory = mkdtempSync(join(tmpdir(), 'jcs-bench-'))
  try {
    await writePhantoms(directory, slices, size)
    const options = { device: 'cpu' as const, threads, seed: 1 }
    const variant = 'authors' as const
    await using classifier = await createModel({ network: classifierNetwork, variant, width }, options)
    await using segmenter = await createModel({ network: segmenterNetwork, variant, width }, options)
    await warmUp()

    const images: DecodedImage[] = []
    const decodeMs = await elapsedMs(async () => {
      for await (const image of decodeAll(directory)) images.push(image)
    })
    const networkMs = await elapsedMs(async () => {
      await classify(classifier, images)
      await segment(segmenter, images)
    })
    // Random weights know nothing: thresholds make the case positive, so that all of it is segmented.
    const positive = { sliceThreshold: 0, classificationThreshold: 0 }
    const totalMs = await elapsedMs(() => diagnose({ classifier, segmenter }, directory, positive))

    const settings = { totalMs: rounded(totalMs), decodeMs: rounded(decodeMs), networkMs: rounded(networkMs) }
    const ratio = summarize([totalMs / Math.max(decodeMs, networkMs)])
    return {
      name,
      kind: 'case',
      unit: 'ratio',
      network: `${classifierNetwork}, ${segmenterNetwork}`,
      batch: slices,
      size,
      results: [{ engine: 'jcs-ct', precision: classifier.precision, settings, ...ratio }],
    }

    /** Programs compiled, weights packed, the decoder loaded. */
    async function warmUp() {
      const few: DecodedImage[] = []
      for await (const image of decodeAll(directory)) if (few.push(image) === 16) break
      await classify(classifier, few)
      await segment(segmenter, few)
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function writePhantoms(directory: string, slices: number, size: number): Promise<void> {
  const phantom = generateCase(1, { infected: true, slices, size })
  for (const [i, { pixels }] of phantom.slices.entries()) {
    await sharp(pixels.data, { raw: { width: size, height: size, channels: 1 } })
      .png()
      .toFile(join(directory, `${String(i).padStart(3, '0')}.png`))
  }
}
