import {
  type DicomFile,
  type DicomSeries,
  type DicomSlice,
  heightAlongNormal,
  openDicomFile,
  readSeries,
  readStacks,
  type SeriesDescription,
} from '../dicom'
import {
  type CaseOptions,
  type DecodedImage,
  type DecodeOptions,
  defaultMaxPixels,
  type Encoded,
  type Excluded,
  type ImageSize,
  type OpenedSlices,
  type Series,
  type SliceDecoder,
} from './types'
import { resolveWindow } from './window'

/** One file of its own: the frames of its series, head first. */
export async function openDicom(source: Encoded, options: DecodeOptions): Promise<OpenedSlices> {
  return openDicomCase([source], source.name, options)
}

export async function inspectDicom(source: Encoded, options: DecodeOptions): Promise<ImageSize> {
  const { stack } = await openSeries([source], source.name, options)
  return { width: stack.columns, height: stack.rows, slices: stack.slices }
}

/** Many files: the slices of one series, and what the case is to know of it. `name`: of all of them together. */
export async function openDicomCase(
  sources: readonly Encoded[],
  name: string,
  options: DecodeOptions & CaseOptions,
): Promise<Required<OpenedSlices>> {
  const dicom = await openSeries(sources, name, options)
  return { series: describe(dicom), decoders: decodersOf(dicom, options) }
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

function decodersOf(dicom: DicomSeries, { window = 'lung', signal }: DecodeOptions): SliceDecoder[] {
  const resolved = resolveWindow(window, 'options')
  return dicom.stack.frames.map(
    (_, index) => async () => toImage(await dicom.decode(index, signal), resolved),
  )
}

function toImage(slice: DicomSlice, window: DecodedImage['window']): DecodedImage {
  const { instanceUid, seriesUid, ...rest } = slice
  return {
    ...rest,
    channels: 1,
    ...(window && { window }),
    ...(instanceUid && { instanceUid }),
    ...(seriesUid && { seriesUid }),
  }
}

function describe(dicom: DicomSeries): Series {
  const { uid, modality, slices, spacingMm, excluded } = dicom.stack
  return {
    uid,
    modality,
    slices,
    ...(spacingMm && { spacingMm }),
    excluded,
    warnings: () => dicom.warnings,
  }
}

/** The series of DICOM files, from their headers. */
export async function describeSeries(
  sources: readonly Encoded[],
  { maxPixels = defaultMaxPixels, onBadSlice = 'error', signal }: DecodeOptions & CaseOptions,
): Promise<{ series: SeriesDescription[]; excluded: Excluded[] }> {
  const { stacks, excluded } = await readStacks(await Promise.all(sources.map(toFile)), {
    maxPixels,
    onBadSlice,
    signal,
  })
  return {
    series: stacks.map(
      ({
        uid,
        modality,
        seriesNumber,
        kernel,
        slices,
        rows,
        columns,
        spacingMm,
        isAxial,
        excluded,
        warnings,
        gaps,
      }) => ({
        uid,
        modality,
        ...(seriesNumber !== undefined && { seriesNumber }),
        ...(kernel !== undefined && { kernel }),
        slices,
        rows,
        columns,
        ...(spacingMm && { spacingMm }),
        isAxial,
        excluded,
        warnings: [...warnings, ...gaps],
      }),
    ),
    excluded,
  }
}

/** How far towards the head a slice lies, along its normal; undefined where its source does not tell. */
export function sliceHeightMm({ positionMm, orientation }: DecodedImage): number | undefined {
  return positionMm && orientation && heightAlongNormal(positionMm, orientation)
}
