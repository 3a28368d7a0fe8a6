import { runAhead } from '../base/ahead'
import { JcsError } from '../base/errors'
import { type DecodeOptions, type ImageSize, type ImageSource, inspectImage, inspectMask } from '../images'
import { badSampleFrom } from './bad-samples'
import type { BadSample, DatasetSample } from './types'

/** Files looked at at the same time; more gain nothing on one disk. */
const concurrency = 8

/** Sorts out the samples whose files are missing, unreadable, no images, or differ in size. */
export async function checkFiles(
  samples: readonly DatasetSample[],
  options: DecodeOptions,
): Promise<{ good: DatasetSample[]; bad: BadSample[] }> {
  const good: DatasetSample[] = []
  const bad: BadSample[] = []
  const tasks = samples.map((sample) => async () => ({ sample, fault: await findFault(sample, options) }))
  for await (const { sample, fault } of runAhead(tasks, concurrency, options.signal)) {
    if (fault) bad.push(fault)
    else good.push(sample)
  }
  return { good, bad }
}

async function findFault(sample: DatasetSample, options: DecodeOptions): Promise<BadSample | undefined> {
  try {
    const size = await inspectImage(sample.image, options)
    for (const part of ['mask', 'lung'] as const) {
      const source = sample[part]
      if (source === undefined) continue
      const maskSize = await inspectMask(source, options)
      if (size && maskSize) requireEqualSize(sample, part, size, maskSize)
    }
    return undefined
  } catch (error) {
    return badSampleFrom(sample.origin, error)
  }
}

export function requireEqualSize(
  sample: DatasetSample,
  part: 'mask' | 'lung',
  image: ImageSize,
  mask: ImageSize,
): void {
  if (image.width === mask.width && image.height === mask.height && image.slices === mask.slices) return
  const isVolume = image.slices > 1 || mask.slices > 1
  const describe = ({ width, height, slices }: ImageSize) =>
    isVolume ? `${slices} slices of ${width} x ${height}` : `${width} x ${height}`
  throw new JcsError(
    'SHAPE_MISMATCH',
    `the ${part} ${nameOf(sample[part])} has ${describe(mask)} pixels, its image ${nameOf(sample.image)} ${describe(image)}`,
  )
}

function nameOf(source: ImageSource | undefined): string {
  return typeof source === 'string' || source instanceof URL ? `'${source}'` : 'given in memory'
}
