import type { Diagnosis, VolumeLesion } from '../../run/results'
import { findMasks, masksOf, type Outlined, requireMasksOf } from '../masks'
import { componentsOf, type Run, runsOf } from './runs'

/** What one segment of a segmentation outlines. */
export interface Segment {
  kind: Outlined
  /** As readers see it. */
  label: string
  /** One at least, in reading order, slice by slice. */
  runs: Run[]
  /** Of a lesion on its own, where lesions were measured. */
  measurement?: VolumeLesion
}

export interface SegmentOptions {
  /** One segment for each lesion that hangs together across slices, and not one for all. */
  perLesion: boolean
  /** Whether a pixel may be of one segment only: lesions then are taken out of the lungs. */
  isExclusive: boolean
}

interface Size {
  width: number
  height: number
  count: number
}

/**
 * The lungs, then the lesions; what has no pixel is no segment.
 *
 * @throws JcsError INVALID_ARGUMENT when nothing was looked for, or the masks are of slices of another size
 */
export function segmentsOf(diagnosis: Diagnosis, size: Size, options: SegmentOptions): Segment[] {
  const lungs = findMasks(diagnosis, 'lungs')
  const lesions = lungs ? findMasks(diagnosis, 'lesions') : masksOf(diagnosis, 'lesions')
  for (const masks of [lungs, lesions]) if (masks) requireMasksOf(masks, size)
  const lungsAlone =
    lungs && lesions && options.isExclusive
      ? lungs.map((mask, slice) => mask.map((value, pixel) => value & ~lesions[slice]![pixel]!))
      : lungs
  const segments: Segment[] = [{ kind: 'lungs', label: 'Lungs', runs: runsOf(lungsAlone ?? [], size) }]
  if (options.perLesion) {
    const inside = lesions?.map((mask, slice) =>
      lungs ? mask.map((value, pixel) => value & lungs[slice]![pixel]!) : mask,
    )
    const found = inMeasuredOrder(componentsOf(inside ?? [], size), diagnosis.involvement?.lesions)
    segments.push(
      ...found.map(
        (lesion, index): Segment => ({ kind: 'lesions', label: `Lesion ${index + 1}`, ...lesion }),
      ),
    )
  } else {
    segments.push({ kind: 'lesions', label: 'Lesions', runs: runsOf(lesions ?? [], size) })
  }
  return segments.filter(({ runs }) => runs.length > 0)
}

/** That of `involvement.lesions`, so that a segment's number is its measurement's; else the largest first. */
function inMeasuredOrder(
  components: Run[][],
  measured: readonly VolumeLesion[] | undefined,
): Pick<Segment, 'runs' | 'measurement'>[] {
  if (!measured) return components.sort((a, b) => pixelsOf(b) - pixelsOf(a)).map((runs) => ({ runs }))
  const left = new Set(components)
  const ordered = measured.flatMap((measurement) => {
    const runs = [...left].find((component) => isOf(component, measurement))
    if (runs) left.delete(runs)
    return runs ? [{ runs, measurement }] : []
  })
  return [...ordered, ...[...left].map((runs) => ({ runs }))]
}

function pixelsOf(runs: readonly Run[]): number {
  return runs.reduce((sum, { begin, end }) => sum + end - begin, 0)
}

function isOf(runs: readonly Run[], lesion: VolumeLesion): boolean {
  if (runs[0]!.slice !== lesion.firstSlice || runs.at(-1)!.slice !== lesion.lastSlice) return false
  let x = 0
  let y = 0
  for (const { row, begin, end } of runs) {
    x += ((end - begin) * (begin + end - 1)) / 2
    y += (end - begin) * row
  }
  const pixels = pixelsOf(runs)
  return Math.abs(x / pixels - lesion.centroidX) < 1e-6 && Math.abs(y / pixels - lesion.centroidY) < 1e-6
}
