import { iterateUntilAborted } from '../base/abort'
import { JcsError } from '../base/errors'
import { copySource } from '../images'
import { badSample } from './bad-samples'
import type { ParsedDataset, Sample } from './types'

/** Samples of an array or of an iterable. Those of an array are copied before this function returns. */
export async function takeSamples(
  source: Iterable<Sample> | AsyncIterable<Sample>,
  signal: AbortSignal | undefined,
): Promise<ParsedDataset> {
  const parsed: ParsedDataset = { samples: [], warnings: [], bad: [] }
  let index = 0
  const take = (sample: Sample) => {
    takeSample(sample, sample?.origin ?? `sample ${index}`, parsed)
    index++
  }
  if (Array.isArray(source)) source.forEach(take)
  else for await (const sample of iterateUntilAborted(source, signal)) take(sample)
  return parsed
}

function takeSample(sample: Sample, origin: string, parsed: ParsedDataset): void {
  if (typeof sample !== 'object' || sample === null || !('image' in sample)) {
    throw new JcsError('INVALID_TYPE', `${origin}: expected { image, label?, mask?, lung?, patient? }`)
  }
  const { image, label, mask, lung, patient } = sample
  const reason = findFault(sample)
  if (reason) {
    parsed.bad.push(badSample(origin, reason))
    return
  }
  parsed.samples.push({
    image: copySource(image),
    ...(label !== undefined && { label }),
    ...(mask && { mask: copySource(mask) }),
    ...(lung && { lung: copySource(lung) }),
    ...(patient !== undefined && { patient: String(patient) }),
    origin,
  })
}

function findFault({ label, mask }: Sample): string | undefined {
  if (label !== undefined && label !== 0 && label !== 1)
    return `the label is ${String(label)}; it must be 0 or 1`
  if (label === undefined && mask === undefined) return 'neither a label nor a mask is given'
  return undefined
}
