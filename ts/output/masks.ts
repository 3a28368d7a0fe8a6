import { JcsError } from '../base/errors'
import type { Diagnosis } from '../run/results'

export const outlined = ['lesions', 'lungs'] as const
/** What a diagnosis outlines. */
export type Outlined = (typeof outlined)[number]

/** Of every slice, in order; undefined where the diagnosis did not look for it. */
export function findMasks({ slices }: Diagnosis, what: Outlined): Uint8Array[] | undefined {
  const masks = slices.flatMap(
    (slice) => (what === 'lungs' ? slice.lungMask : slice.segmentation?.mask) ?? [],
  )
  return masks.length === slices.length ? masks : undefined
}

/** The same. @throws JcsError INVALID_ARGUMENT where the diagnosis did not look for it */
export function masksOf(diagnosis: Diagnosis, what: Outlined): Uint8Array[] {
  const masks = findMasks(diagnosis, what)
  if (masks) return masks
  throw new JcsError(
    'INVALID_ARGUMENT',
    what === 'lungs'
      ? 'the diagnosis has no lungs: it was made without a lung model, or its slices could not be measured'
      : 'the diagnosis has no lesions: its classifier found the case negative, and nothing was segmented',
  )
}

/** @throws JcsError INVALID_ARGUMENT for masks that are not of `count` slices of that size */
export function requireMasksOf(
  masks: readonly Uint8Array[],
  { width, height, count }: { width: number; height: number; count: number },
): void {
  if (masks.length === count && masks.every(({ length }) => length === width * height)) return
  throw differentSlices()
}

function differentSlices(): JcsError {
  return new JcsError('INVALID_ARGUMENT', 'the slices of the case are not those that were diagnosed')
}

/** @throws JcsError INVALID_ARGUMENT for a diagnosis that is not of slices of these sizes */
export function requireDiagnosed(
  diagnosis: Diagnosis,
  slices: readonly { width: number; height: number }[],
): void {
  const { width, height } = slices[0]!
  const size = { width, height, count: slices.length }
  if (diagnosis.slices.length !== size.count) throw differentSlices()
  for (const what of outlined) {
    const masks = findMasks(diagnosis, what)
    if (masks) requireMasksOf(masks, size)
  }
}

/** Whether there is a pixel of anything in any slice. */
export function isAnythingOutlined(diagnosis: Diagnosis): boolean {
  return outlined.some((what) => findMasks(diagnosis, what)?.some((mask) => mask.includes(1)))
}
