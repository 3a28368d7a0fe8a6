import {
  type DicomFile,
  type DicomSeries,
  type DicomSlice,
  openDicomFile,
  readSeries,
  readStacks,
} from '../dicom'
import {
  type CaseOptions,
  type DecodedImage,
  type DecodeOptions,
  defaultMaxPixels,
  type Encoded,
  type Excluded,
  type ImageSize,
  type IntensityWindow,
  type OpenedSlices,
  type Series,
} from './types'
import { resolveWindow } from './window'

/** One file of its own: the frames of its series, head first. */
export async function openDicom(source: Encoded, options: DecodeOptions): Promise<OpenedSlices> {
  return openDicomCase([source], source.name, options)
}

export async function inspectDicom(source: Encoded, options: DecodeOptions): Promise<ImageSize> {
  const { series } = (await openSeries([source], source.name, options)).stack
  return { width: series.columns, height: series.rows, slices: series.slices }
}

/** Many files: the slices of one series. `name`: of all of them together. */
export async function openDicomCase(
  sources: readonly Encoded[],
  name: string,
  options: DecodeOptions & CaseOptions,
): Promise<Required<OpenedSlices>> {
  const { window, signal } = options
  const resolved = window && resolveWindow(window, 'options')
  const dicom = await openSeries(sources, name, options)
  const { series, frames } = dicom.stack
  return {
    decoders: frames.map((_, index) => async () => toImage(await dicom.decode(index, signal), resolved)),
    volume: {
      series,
      gaps: dicom.stack.gaps,
      warnings: () => dicom.warnings,
      study: () => dicom.study(signal),
      files: () => dicom.files(signal),
    },
  }
}

async function openSeries(
  sources: readonly Encoded[],
  name: string,
  {
    maxPixels = defaultMaxPixels,
    signal,
    series,
    onBadSlice = 'error',
    onGap = 'warn',
  }: DecodeOptions & CaseOptions,
): Promise<DicomSeries> {
  const files = await Promise.all(sources.map(toFile))
  return readSeries(files, name, { maxPixels, series, onBadSlice, onGap, signal })
}

async function toFile({ path, bytes, name, label }: Encoded): Promise<DicomFile> {
  return openDicomFile(path === undefined ? { bytes: await bytes() } : { path }, name, label)
}

function toImage(slice: DicomSlice, window: IntensityWindow | undefined): DecodedImage {
  const { sopClassUid, instanceUid, seriesUid, ...rest } = slice
  return {
    ...rest,
    channels: 1,
    ...(window && { window }),
    ...(sopClassUid && { sopClassUid }),
    ...(instanceUid && { instanceUid }),
    ...(seriesUid && { seriesUid }),
  }
}

/** A series, and what is to be known about it before it is decoded. */
export interface ListedSeries extends Series {
  /** Full sentences. */
  warnings: string[]
}

/** The series of DICOM files, from their headers. */
export async function listDicomSeries(
  sources: readonly Encoded[],
  { maxPixels = defaultMaxPixels, onBadSlice = 'error', signal }: DecodeOptions & CaseOptions,
): Promise<{ series: ListedSeries[]; excluded: Excluded[] }> {
  const files = await Promise.all(sources.map(toFile))
  const { stacks, excluded } = await readStacks(files, { maxPixels, onBadSlice, signal })
  return {
    series: stacks.map(({ series, warnings, gaps }) => ({ ...series, warnings: [...warnings, ...gaps] })),
    excluded,
  }
}
