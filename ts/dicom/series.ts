import { JcsError } from '../base/errors'
import { compareNames } from '../base/files'
import {
  type Excluded,
  heightAlongNormal,
  isAxial,
  normalOf,
  type Orientation,
  type Series,
  samePositionMm,
  spacingOf,
  summarise,
  tiltDegrees,
  type Vector,
} from '../volumes'
import type { DicomFile } from './file'
import type { DicomHeader, FrameHeader } from './header'

/** A frame of a file, placed in the patient. */
export interface SeriesFrame {
  file: DicomFile
  header: DicomHeader
  /** In its file. */
  index: number
  frame: FrameHeader
  /** What reports call it. */
  label: string
}

/** A series as the slices of a case. */
export interface Stack {
  series: Series
  /** The head's first. */
  frames: SeriesFrame[]
  /** Full sentences. */
  warnings: string[]
  /** Where slices are missing, as full sentences. */
  gaps: string[]
}

/** Makes one stack of each series, the one with the most axial slices first. */
export function stackSeries(frames: readonly SeriesFrame[]): Stack[] {
  return groupBy(frames, ({ header }) => header.seriesUid)
    .map(stackOf)
    .sort(compareStacks)
}

function compareStacks({ series: a }: Stack, { series: b }: Stack): number {
  const axialSlices = ({ isAxial, slices }: Series) => (isAxial ? slices : 0)
  return (
    axialSlices(b) - axialSlices(a) || b.slices - a.slices || (a.seriesNumber ?? 0) - (b.seriesNumber ?? 0)
  )
}

function stackOf(all: readonly SeriesFrame[]): Stack {
  const { frames, excluded } = selectFrames(all)
  const [first] = frames
  const { seriesUid: uid, modality, seriesNumber, kernel, rows, columns } = (first ?? all[0]!).header
  const orientation = first?.frame.orientation
  const spacing = first?.frame.spacing
  const { stepMm, gaps, warnings } = describeSpacing(frames)
  const series: Series = {
    uid,
    modality,
    ...(seriesNumber !== undefined && { seriesNumber }),
    ...(kernel !== undefined && { kernel }),
    slices: frames.length,
    rows,
    columns,
    ...(spacing && stepMm !== undefined && { spacingMm: [...spacing, stepMm] }),
    isAxial: orientation === undefined || isAxial(orientation),
    excluded,
  }
  if (!series.isAxial) warnings.push('The slices are not axial; networks are trained on axial slices.')
  if (first && !spacing)
    warnings.push('The files do not say how large a pixel is: nothing is measured in mm.')
  if (frames.some(({ frame }) => !frame.isRescaled)) {
    warnings.push(
      'The files have no rescale slope and intercept: stored values are taken for Hounsfield units.',
    )
  }
  return { series, frames, warnings, gaps }
}

/** The frames of a series that are the slices of one volume, head first, and why the others are none. */
function selectFrames(all: readonly SeriesFrame[]): { frames: SeriesFrame[]; excluded: Excluded[] } {
  const excluded: Excluded[] = []
  const leaveOut = (frames: readonly SeriesFrame[], reason: string) => {
    if (frames.length === 0) return
    excluded.push({
      what: summarise(
        frames.map(({ label }) => label),
        'slices',
      ),
      reason,
    })
  }
  const [localizers, images] = partition(all, ({ frame }) => frame.imageType.includes('LOCALIZER'))
  leaveOut(localizers, 'A localizer is no slice of the scan.')
  // A lone slice needs no place among others.
  const [placed, unplaced] =
    images.length === 1 ? [images, []] : partition(images, ({ frame }) => isPlaced(frame))
  leaveOut(unplaced, 'The file does not say where in the patient it lies.')

  const [geometry = [], ...otherGeometries] = largestFirst(groupBy(placed, geometryOf))
  for (const other of otherGeometries)
    leaveOut(other, 'Most slices of the series have another orientation, size or pixel spacing.')
  const { kept, repeated } = separateAcquisitions(geometry)
  for (const other of repeated)
    leaveOut(other, 'A larger acquisition or time point of the series has slices at the same positions.')
  const { unique: frames, duplicates } = removeDuplicates(kept)
  leaveOut(duplicates, 'A duplicate: another slice of the series lies at the same position.')
  return { frames, excluded }
}

type Placed = FrameHeader & { positionMm: Vector; orientation: Orientation }

function isPlaced(frame: FrameHeader): frame is Placed {
  return frame.positionMm !== undefined && frame.orientation !== undefined
}

/** Height of a slice along the normal of its stack, mm: the head's slice is the highest. */
function heightOf({ frame }: SeriesFrame): number {
  return isPlaced(frame) ? heightAlongNormal(frame.positionMm, frame.orientation) : 0
}

/** The same for frames that can lie in one stack. */
function geometryOf({ header, frame }: SeriesFrame): string {
  const { rows, columns } = header
  const { orientation = [], spacing = [] } = frame
  // −0 and 0 are one direction.
  const rounded = (values: readonly number[], digits: number) =>
    values.map((value) => (Math.abs(value) < 10 ** -digits ? 0 : value).toFixed(digits))
  return [rows, columns, ...rounded(orientation, 2), ...rounded(spacing, 3)].join(' ')
}

/**
 * Acquisitions one after the other along the patient are one volume; one that lies at the positions of a larger one is a
 * volume of its own, such as another time point.
 */
function separateAcquisitions(frames: readonly SeriesFrame[]): {
  kept: readonly SeriesFrame[]
  repeated: SeriesFrame[][]
} {
  if (removeDuplicates(frames).duplicates.length === 0) return { kept: frames, repeated: [] }
  const [largest = [], ...others] = largestFirst(groupBy(frames, ({ frame }) => frame.acquisition))
  const kept = [...largest]
  const repeated: SeriesFrame[][] = []
  for (const other of others) {
    const { duplicates } = removeDuplicates([...removeDuplicates(kept).unique, ...other])
    if (duplicates.length > 0.5 * other.length) repeated.push(other)
    else kept.push(...other)
  }
  return { kept, repeated }
}

/** Head first; of slices at one position the first by instance number, then by name, stays. */
function removeDuplicates(frames: readonly SeriesFrame[]): {
  unique: SeriesFrame[]
  duplicates: SeriesFrame[]
} {
  const heights = new Map(frames.map((frame) => [frame, heightOf(frame)]))
  const sorted = [...frames].sort((a, b) => heights.get(b)! - heights.get(a)! || compareInstances(a, b))
  const unique: SeriesFrame[] = []
  const duplicates: SeriesFrame[] = []
  for (const frame of sorted) {
    const last = unique.at(-1)
    const isDuplicate = last && heights.get(last)! - heights.get(frame)! < samePositionMm
    ;(isDuplicate ? duplicates : unique).push(frame)
  }
  return { unique, duplicates }
}

function compareInstances(a: SeriesFrame, b: SeriesFrame): number {
  return (
    (a.frame.instanceNumber ?? 0) - (b.frame.instanceNumber ?? 0) ||
    compareNames(a.label, b.label) ||
    a.index - b.index
  )
}

function describeSpacing(frames: readonly SeriesFrame[]): {
  stepMm?: number
  gaps: string[]
  warnings: string[]
} {
  const first = frames[0]?.frame
  const last = frames.at(-1)?.frame
  if (frames.length < 2 || !first || !last || !isPlaced(first) || !isPlaced(last))
    return { gaps: [], warnings: [] }
  const { steps, usual, gaps, isUneven } = spacingOf(frames.map(heightOf))
  const warnings: string[] = []
  if (isUneven) {
    const regular = steps.filter((_, index) => !gaps.includes(index))
    const range = `${Math.min(...regular).toFixed(2)} to ${Math.max(...regular).toFixed(2)} mm`
    warnings.push(`The distance between neighbouring slices varies from ${range}: volumes are less exact.`)
  }
  const tilt = tiltDegrees(normalOf(first.orientation), first.positionMm, last.positionMm)
  if (tilt > 0.5) {
    warnings.push(
      `The gantry was tilted by ${tilt.toFixed(1)}°: slices are stacked obliquely, distances between them are along their normal.`,
    )
  }
  return {
    stepMm: usual,
    gaps: gaps.map(
      (index) =>
        `Slices are missing between '${frames[index]!.label}' and '${frames[index + 1]!.label}': they are ${steps[index]!.toFixed(1)} mm apart where ${usual.toFixed(1)} mm are usual.`,
    ),
    warnings,
  }
}

/**
 * The stack to diagnose: of the series asked for, or else the one with the most axial slices; the others are in its
 * `excluded`.
 *
 * @throws JcsError INVALID_ARGUMENT when there is no series of that UID, EMPTY_DATASET when no slice is left
 */
export function chooseStack(stacks: readonly Stack[], seriesUid: string | undefined, name: string): Stack {
  const chosen = seriesUid === undefined ? stacks[0] : stacks.find(({ series }) => series.uid === seriesUid)
  if (!chosen && seriesUid !== undefined) {
    const known = stacks.map(({ series: { uid, slices } }) => `${uid} (${slices} slices)`).join(', ')
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${name} holds no series ${seriesUid}; it holds ${known || 'none'}`,
    )
  }
  if (!chosen || chosen.frames.length === 0) {
    const [excluded] = stacks.flatMap(({ series }) => series.excluded)
    const detail = excluded ? `; ${excluded.what}: ${excluded.reason}` : ''
    throw new JcsError('EMPTY_DATASET', `${name} holds no slice that can be diagnosed${detail}`)
  }
  const { series, warnings } = chosen
  const others = stacks.filter((stack) => stack !== chosen)
  const choice = `${stacks.length} series were found; the one with the most axial slices, ${series.uid} (${series.slices} slices), was taken. Another one is chosen by the option series.`
  return {
    ...chosen,
    series: { ...series, excluded: [...series.excluded, ...others.map(describeOther)] },
    warnings: others.length > 0 && seriesUid === undefined ? [choice, ...warnings] : warnings,
  }
}

function describeOther({ series: { uid, slices } }: Stack): Excluded {
  return { what: `series ${uid || 'without a UID'} (${slices} slices)`, reason: 'Another series was taken.' }
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return [...groups.values()]
}

function largestFirst<T>(groups: T[][]): T[][] {
  return groups.sort((a, b) => b.length - a.length)
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  return [items.filter(test), items.filter((item) => !test(item))]
}
