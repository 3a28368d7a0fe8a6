import { join } from 'node:path'
import type { Command } from 'commander'
import { throwIfAborted } from '../../base/abort'
import { disclaimer } from '../../base/disclaimer'
import { makeDirectory, writeFileAtomically } from '../../base/write-files'
import { loadSharp } from '../../images/sharp'
import { loadModel } from '../../model'
import { openCase } from '../../open-case'
import { overlayPng } from '../../report'
import type { Segmentation } from '../../run/results'
import { segment } from '../../segment'
import { fileNameFor } from '../file-name'
import {
  addImageOptions,
  addRunOptions,
  addTestTimeOptions,
  type ImageFlags,
  imageOptionsOf,
  number,
  type RuntimeFlags,
  runtimeOf,
  type TestTimeFlags,
  testTimeOf,
  wholeNumber,
} from '../options'
import type { Session } from '../session'
import { table } from '../table'

interface Flags extends RuntimeFlags, ImageFlags, TestTimeFlags {
  model: string
  threshold?: number
  minArea?: number
  batchSize?: number
  out?: string
}

export function addSegment(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = program
    .command('segment')
    .description('segment the lesions of slices')
    .argument('<images...>', 'DICOM, NIfTI, PNG, JPEG or TIFF files, or directories of them')
    .requiredOption('-m, --model <file>', 'a trained segmentation network, .safetensors')
    .option('--threshold <p>', 'a pixel is lesion above this probability', number, 0.5)
    .option('--min-area <pixels>', 'leave smaller lesions out', wholeNumber)
    .option('--batch-size <n>', 'slices per run of the network', wholeNumber)
    .option('-o, --out <directory>', 'write masks, overlays and segmentation.json')
    .addHelpText(
      'after',
      `
Examples:
  jcs segment slice.png --model segmenter.safetensors
  jcs segment case/ --model segmenter.safetensors --out result/
  jcs segment case/ --model segmenter.safetensors --test-time-flips horizontal --test-time-scales 0.75,1,1.25

'left' is the patient's left for DICOM, and the image's left for pictures.`,
    )
  addTestTimeOptions(command)
  addRunOptions(addImageOptions(command)).action(async (paths: string[], flags: Flags) => {
    const session = sessionFor(flags)
    const { threshold, minArea: minAreaPixels, batchSize, out } = flags
    using scan = openCase(paths, imageOptionsOf(flags))
    await using model = await loadModel(flags.model, runtimeOf(flags))
    if (out) await makeDirectory(out)
    const results = await session.follow((controls) =>
      segment(model, scan, {
        threshold,
        minAreaPixels,
        batchSize,
        testTimeAugmentation: testTimeOf(flags),
        ...controls,
      }),
    )
    const document = results.map(({ width, height, areaPixels, areaMm2, lesions }, index) => ({
      image: scan.names[index]!,
      width,
      height,
      areaPixels,
      ...(areaMm2 !== undefined && { areaMm2 }),
      lesions,
    }))
    if (out) {
      for (const [index, result] of results.entries()) {
        throwIfAborted(session.signal)
        const write = (suffix: string, picture: Buffer) =>
          writeFileAtomically(join(out, fileNameFor(scan.names[index]!, index, suffix)), picture)
        await write('_overlay.png', await overlayPng(await scan.image(index), { lesions: maskOf(result) }))
        await write('_mask.png', await maskPng(result))
      }
      await writeFileAtomically(join(out, 'segmentation.json'), session.toJson(document))
    }
    session.warn(scan.warnings)
    session.finish(document, `${describe(document)}\n\n${disclaimer}.`)
  })
}

export function maskOf({ mask, width, height }: Segmentation) {
  return { data: mask, width, height }
}

/** Black and white, so that any viewer shows it. */
function maskPng({ mask, width, height }: Segmentation): Promise<Buffer> {
  const visible = mask.map((value) => value * 255)
  return loadSharp()(visible, { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer()
}

function describe(
  slices: readonly {
    image: string
    areaPixels: number
    areaMm2?: number
    lesions: Segmentation['lesions']
  }[],
): string {
  const rows = slices.map(({ image, areaPixels, areaMm2, lesions }) => [
    image,
    lesions.length,
    areaPixels,
    areaMm2 === undefined ? '–' : areaMm2.toFixed(1),
    lesions
      .slice(0, 3)
      .map(({ x0, y0, position }) => `(${x0}, ${y0}) ${position.x} ${position.y}`)
      .join('; '),
  ])
  return table(['slice', 'lesions', 'area px', 'area mm²', 'largest: centre, half of the image'], rows)
}
