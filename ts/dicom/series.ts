import { JcsError } from '../base/errors'
import { compareNames } from '../base/files'
import type { DicomFile } from './file'
import {
  heightAlongNormal,
  isAxial,
  normalOf,
  type Orientation,
  samePositionMm,
  spacingOf,
  tiltDegrees,
  type Vector,
} from './geometry'
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

/** What was left out of a case, and why, as the end of a sentence that begins with `what`. */
export interface Excluded {
  what: string
  reason: string
}

/** What one series holds, before one stack of slices is made of it. */
export interface SeriesDescription {
  /** As it stands in the files; empty where they have none. */
  uid: string
  modality: string
  seriesNumber?: number
  /** The convolution kernel, such as 'B30f'. */
  kernel?: string
  /** Slices that a case of it would have. */
  slices: number
  rows: number
  columns: number
  /** From row to row, from column to column, from slice to slice; absent where the files do not say. */
  spacingMm?: [number, number, number]
  isAxial: boolean
  /** What of its files is not among those slices, and why. */
  excluded: Excluded[]
  /** Full sentences. */
  warnings: string[]
}

/** The slices of a case, the head's first, and what is to be known about them. */
export interface Stack extends SeriesDescription {
  frames: SeriesFrame[]
  /** Where slices are missing, as full sentences. */
  gaps: string[]
}

/** Makes one stack of each series, the one with the most axial slices first. */
export function stackSeries(frames: readonly SeriesFrame[]): Stack[] {
  const series = groupBy(frames, ({ header }) => header.seriesUid)
  return series.map(stackOf).sort(compareStacks)
}

function compareStacks(a: Stack, b: Stack): number {
  const axialSlices = ({ isAxial, slices }: Stack) => (isAxial ? slices : 0)
  return (
    axialSlices(b) - axialSlices(a) || b.slices - a.slices || (a.seriesNumber ?? 0) - (b.seriesNumber ?? 0)
  )
}

function stackOf(all: readonly SeriesFrame[]): Stack {
  const excluded: Excluded[] = []
  const warnings: string[] = []
  const leaveOut = (frames: readonly SeriesFrame[], reason: string) => {
    if (frames.length > 0) excluded.push({ what: summarise(frames), reason })
  }

  const [localizers, images] = partition(all, ({ frame }) => frame.imageType.includes('LOCALIZER'))
  leaveOut(localizers, 'a localizer')
  // A lone slice needs no place among others.
  const [placed, unplaced] =
    images.length === 1 ? [images, []] : partition(images, ({ frame }) => isPlaced(frame))
  leaveOut(unplaced, 'the file does not say where in the patient it lies')

  const [geometry = [], ...otherGeometries] = largestFirst(groupBy(placed, geometryOf))
  for (const other of otherGeometries) {
    leaveOut(other, 'another orientation, size or pixel spacing than the other slices of its series')
  }
  const { kept, others } = separateAcquisitions(geometry)
  for (const other of others)
    leaveOut(other, 'another acquisition or time point at the positions of the same series')
  const { unique: frames, duplicates } = removeDuplicates(kept)
  leaveOut(duplicates, 'a duplicate, another slice of the series lies at the same position')

  const [first] = frames
  const orientation = first?.frame.orientation
  const spacing = first?.frame.spacing
  const { gaps, stepMm } = describeSpacing(frames, warnings)
  if (first && !spacing)
    warnings.push('The files do not say how large a pixel is: nothing is measured in mm.')
  if (frames.some(({ frame }) => !frame.isRescaled)) {
    warnings.push(
      'The files have no rescale slope and intercept: stored values are taken for Hounsfield units.',
    )
  }
  return {
    ...describe(first ?? all[0]!),
    slices: frames.length,
    ...(spacing && stepMm !== undefined && { spacingMm: [...spacing, stepMm] }),
    isAxial: orientation === undefined || isAxial(orientation),
    frames,
    excluded,
    warnings,
    gaps,
  }
}

function describe({ header }: SeriesFrame) {
  const { seriesUid: uid, modality, seriesNumber, kernel, rows, columns } = header
  return {
    uid,
    modality,
    ...(seriesNumber !== undefined && { seriesNumber }),
    ...(kernel !== undefined && { kernel }),
    rows,
    columns,
  }
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

/** Several acquisitions at the same positions are several volumes: the largest is kept. */
function separateAcquisitions(frames: readonly SeriesFrame[]): {
  kept: readonly SeriesFrame[]
  others: readonly SeriesFrame[][]
} {
  const { unique, duplicates } = removeDuplicates(frames)
  const [largest = [], ...others] = largestFirst(groupBy(frames, ({ frame }) => frame.acquisition))
  // Some scanners number every slice as an acquisition of its own: those are no volumes.
  const isVolume = removeDuplicates(largest).unique.length > 0.5 * unique.length
  return duplicates.length > 0 && isVolume ? { kept: largest, others } : { kept: frames, others: [] }
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

function describeSpacing(
  frames: readonly SeriesFrame[],
  warnings: string[],
): { gaps: string[]; stepMm?: number } {
  const first = frames[0]?.frame
  const last = frames.at(-1)?.frame
  if (frames.length < 2 || !first || !last || !isPlaced(first) || !isPlaced(last)) return { gaps: [] }
  const { steps, usual, gaps, isUneven } = spacingOf(frames.map(heightOf))
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
    gaps: gaps.map(
      (index) =>
        `Slices are missing between '${frames[index]!.label}' and '${frames[index + 1]!.label}': they are ${steps[index]!.toFixed(1)} mm apart where ${usual.toFixed(1)} mm are usual.`,
    ),
    stepMm: usual,
  }
}

function summarise(frames: readonly SeriesFrame[]): string {
  const [first] = frames
  return frames.length === 1 ? `'${first!.label}'` : `${frames.length} slices, '${first!.label}' and others`
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

/**
 * The stack to diagnose: of the series asked for, or else the one with the most axial slices; the others are in its
 * `excluded`.
 *
 * @throws JcsError INVALID_ARGUMENT when there is no series of that UID, EMPTY_DATASET when no slice is left
 */
export function chooseStack(stacks: readonly Stack[], seriesUid: string | undefined, name: string): Stack {
  const chosen = seriesUid === undefined ? stacks[0] : stacks.find(({ uid }) => uid === seriesUid)
  if (!chosen && seriesUid !== undefined) {
    const known = stacks.map(({ uid, slices }) => `${uid} (${slices} slices)`).join(', ')
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${name} holds no series ${seriesUid}; it holds ${known || 'none'}`,
    )
  }
  if (!chosen || chosen.slices === 0) {
    const [reason] = stacks.flatMap(({ excluded }) => excluded)
    const detail = reason ? `: ${reason.what} ${reason.reason}` : ''
    throw new JcsError('EMPTY_DATASET', `${name} holds no slice that can be diagnosed${detail}`)
  }
  const others = stacks.filter((stack) => stack !== chosen)
  if (others.length === 0) return chosen
  const warnings =
    seriesUid === undefined
      ? [
          `${stacks.length} series were found; the one with the most axial slices, ${chosen.uid} (${chosen.slices} slices), was taken. Another one is chosen by the option series.`,
        ]
      : []
  return {
    ...chosen,
    warnings: [...warnings, ...chosen.warnings],
    excluded: [
      ...chosen.excluded,
      ...others.map(({ uid, slices }) => ({
        what: `series ${uid || 'without a UID'} (${slices} slices)`,
        reason: 'another series was taken',
      })),
    ],
  }
}
