import { basename } from 'node:path'
import { runAhead } from '../base/ahead'
import { availableThreads } from '../base/available-threads'
import { JcsError, toJcsError } from '../base/errors'
import { type FileSource, type Outcome, readBytes, runInThread, shareFile } from '../threads'
import { type Changes, describeChanges, type Excluded, type Orientation, summarise } from '../volumes'
import type { DicomFile, DicomFrameTask, DicomHeadersTask, DicomStudyTask, SourceStudy } from './file'
import type { DicomHeader } from './header'
import type { HounsfieldFrame } from './pixels'
import type { DicomRestampTask, RestampedFile } from './restamp'
import { chooseStack, type SeriesFrame, type Stack, stackSeries } from './series'

export interface ReadSeriesOptions {
  maxPixels: number
  /** UID of the series to take; by default the one with the most axial slices. */
  series?: string | undefined
  /** Whether a file that cannot be read stops, or is left out and reported. */
  onBadSlice: 'error' | 'skip'
  /** Whether missing slices stop, or are reported. */
  onGap: 'refuse' | 'warn'
  signal?: AbortSignal | undefined
}

/** UIDs that all files of a series share. */
export type SharedUids = Pick<DicomRestampTask, 'studyUid' | 'seriesUid' | 'frameOfReferenceUid'>

/** The files of a series, in the order of their first slices. */
export interface SeriesFiles {
  count: number
  readFirst(): Promise<Uint8Array>
  /** File `index` with these UIDs and a new one of its own. */
  restamp(index: number, uids: SharedUids): Promise<Uint8Array>
}

let opened = 0

/** `label`: what reports call it, by default a path's last part. */
export function openDicomFile(source: FileSource, name: string, label?: string): DicomFile {
  const inReports = label ?? ('path' in source ? basename(source.path) : name)
  return { id: ++opened, source: shareFile(source), name, label: inReports }
}

/** A slice in Hounsfield units, with its place in the patient. */
export interface DicomSlice {
  data: Int16Array
  width: number
  height: number
  spacing?: [number, number]
  positionMm?: [number, number, number]
  orientation?: Orientation
  sopClassUid: string
  instanceUid: string
  /** From 1; of files that may hold several. */
  frameNumber?: number
  seriesUid: string
  source: string
}

/** The slices of one series in the order of the patient, head first, decoded when asked for. */
export class DicomSeries {
  readonly stack: Stack
  readonly #maxPixels: number
  /** Of all that was decoded so far. */
  readonly #changes: Changes = { rounded: 0, saturated: 0, notFinite: 0 }

  constructor(stack: Stack, maxPixels: number) {
    this.stack = stack
    this.#maxPixels = maxPixels
  }

  /** Full sentences, on what was decoded so far as well. */
  get warnings(): string[] {
    const { warnings, gaps } = this.stack
    return [...warnings, ...gaps, ...describeChanges(this.#changes, 'pixels')]
  }

  /** @throws JcsError CORRUPT_FILE, UNSUPPORTED_FORMAT, CANCELLED */
  async decode(index: number, signal: AbortSignal | undefined): Promise<DicomSlice> {
    const { file, header, index: frameIndex, frame, label } = this.stack.frames[index]!
    const { id, source, name } = file
    const task: DicomFrameTask = { id, source, name, maxPixels: this.#maxPixels, index: frameIndex }
    const { data, width, height, changes } = await runInThread<HounsfieldFrame>('dicomFrame', task, signal)
    for (const kind of ['rounded', 'saturated', 'notFinite'] as const) this.#changes[kind] += changes[kind]
    const { spacing, positionMm, orientation } = frame
    return {
      data,
      width,
      height,
      ...(spacing && { spacing }),
      ...(positionMm && { positionMm }),
      ...(orientation && { orientation }),
      sopClassUid: header.sopClassUid,
      instanceUid: header.instanceUid,
      ...(header.isMultiFrame && { frameNumber: frameIndex + 1 }),
      seriesUid: header.seriesUid,
      source: label,
    }
  }

  /** Read anew when asked for. */
  files(signal: AbortSignal | undefined): SeriesFiles {
    const files = [...new Set(this.stack.frames.map(({ file }) => file))]
    return {
      count: files.length,
      readFirst: async () => readBytes(files[0]!.source),
      restamp: async (index, uids) => {
        const { source, name } = files[index]!
        const task: DicomRestampTask = { source, name, index, ...uids }
        return (await runInThread<RestampedFile>('dicomRestamp', task, signal)).data
      },
    }
  }

  /**
   * Whom the series is of, and which study it belongs to, read anew from the first slice's file.
   *
   * @throws JcsError INVALID_ARGUMENT when that is not the file any more that was opened, and whatever reading it gives
   */
  async study(signal: AbortSignal | undefined): Promise<SourceStudy> {
    const { file, header } = this.stack.frames[0]!
    const task: DicomStudyTask = { source: file.source, name: file.name }
    const study = await runInThread<SourceStudy>('dicomStudy', task, signal)
    if (study.SeriesInstanceUID === header.seriesUid && study.StudyInstanceUID === header.studyUid)
      return study
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${file.name} was replaced after the case was opened; open it again`,
    )
  }
}

/**
 * Makes the case of DICOM files: of all of one series.
 *
 * @throws JcsError INVALID_ARGUMENT for a series that is not there, EMPTY_DATASET when there is no CT among them,
 * INCOMPLETE_SERIES for missing slices with `onGap: 'refuse'`, and whatever reading a file gives
 */
export async function readSeries(
  files: readonly DicomFile[],
  name: string,
  options: ReadSeriesOptions,
): Promise<DicomSeries> {
  const { stacks, excluded, warnings } = await readStacks(files, options)
  const stack = chooseStack(stacks, options.series, name)
  if (options.onGap === 'refuse' && stack.gaps.length > 0) {
    throw new JcsError(
      'INCOMPLETE_SERIES',
      `${name}: ${stack.gaps[0]} Volumes over a gap are wrong; onGap: 'warn' goes on all the same`,
    )
  }
  const series = { ...stack.series, excluded: [...stack.series.excluded, ...excluded] }
  return new DicomSeries({ ...stack, series, warnings: [...warnings, ...stack.warnings] }, options.maxPixels)
}

export interface ReadStacks {
  stacks: Stack[]
  /** Files that belong to no stack. */
  excluded: Excluded[]
  warnings: string[]
}

/** Reads the headers of files, in threads, and makes a stack of each series. */
export async function readStacks(
  files: readonly DicomFile[],
  { maxPixels, onBadSlice, signal }: Pick<ReadSeriesOptions, 'maxPixels' | 'onBadSlice' | 'signal'>,
): Promise<ReadStacks> {
  const frames: SeriesFrame[] = []
  const leftOut: { label: string; reason: string }[] = []
  const warnings: string[] = []
  const tasks = inBatches(files).map((batch) => () => readHeaders(batch, maxPixels, signal))
  for await (const results of runAhead(tasks, 2 * availableThreads(), signal)) {
    for (const { file, result } of results) {
      if (!(result instanceof JcsError)) {
        frames.push(...framesOf(file, result))
        continue
      }
      // What is no CT lies in every folder of a scanner; what is damaged may be a slice that is missed.
      const isOther = result.code === 'UNSUPPORTED_FORMAT'
      if (files.length === 1 || (!isOther && onBadSlice === 'error')) throw result
      leftOut.push({ label: file.label, reason: reasonOf(result, file) })
      if (!isOther) warnings.push(`'${file.label}' could not be read and was left out.`)
    }
  }
  return { stacks: stackSeries(frames), excluded: byReason(leftOut), warnings }
}

function inBatches<T>(items: readonly T[]): T[][] {
  const size = 16
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
}

interface HeaderOf {
  file: DicomFile
  result: DicomHeader | JcsError
}

async function readHeaders(
  files: readonly DicomFile[],
  maxPixels: number,
  signal: AbortSignal | undefined,
): Promise<HeaderOf[]> {
  const task: DicomHeadersTask = {
    name: files[0]!.name,
    files: files.map(({ id, source, name }) => ({ id, source, name, maxPixels })),
  }
  try {
    const outcomes = await runInThread<Outcome<DicomHeader>[]>('dicomHeaders', task, signal)
    return outcomes.map((outcome, index) => ({
      file: files[index]!,
      result: 'value' in outcome ? outcome.value : toJcsError(outcome),
    }))
  } catch (error) {
    if (!(error instanceof JcsError) || error.code === 'CANCELLED') throw error
    const [file] = files
    if (files.length === 1) return [{ file: file!, result: error }]
    // One of them ended the thread: it is found, and the others are read.
    const alone = await Promise.all(files.map((one) => readHeaders([one], maxPixels, signal)))
    return alone.flat()
  }
}

function framesOf(file: DicomFile, header: DicomHeader): SeriesFrame[] {
  const { frames } = header
  return frames.map((frame, index) => ({
    file,
    header,
    index,
    frame,
    label: frames.length === 1 ? file.label : `${file.label}, frame ${index + 1}`,
  }))
}

/** The message as a sentence about a file that is named beside it. */
function reasonOf({ message }: JcsError, { name }: DicomFile): string {
  return `${message.replace(`${name} `, 'It ')}.`
}

/** One line for all files that are left out for the same reason. */
function byReason(leftOut: readonly { label: string; reason: string }[]): Excluded[] {
  const reasons = new Map<string, string[]>()
  for (const { label, reason } of leftOut) reasons.set(reason, [...(reasons.get(reason) ?? []), label])
  return [...reasons].map(([reason, labels]) => ({ what: summarise(labels, 'files'), reason }))
}
