import { type Layout, layOut, type NiftiHeader, type NiftiTask, type NiftiVolume } from '../nifti'
import { runInThread, shareFile } from '../threads'
import { describeChanges, type VoxelGrid } from '../volumes'
import {
  type DecodedImage,
  type DecodeOptions,
  defaultMaxPixels,
  type Encoded,
  type ImageSize,
  type OpenedSlices,
} from './types'
import { resolveWindow } from './window'

/** The axial slices of a volume, head first. The volume is decoded when the first of them is asked for. */
export async function openNifti(source: Encoded, options: DecodeOptions): Promise<OpenedSlices> {
  const { window, signal } = options
  const resolved = window && resolveWindow(window, 'options')
  const task = await taskOf(source, options)
  const header = await runInThread<NiftiHeader>('niftiHeader', task, signal)
  const layout = layOut(header)
  let volume: Promise<NiftiVolume> | undefined
  let left = layout.slices
  let found: Findings | undefined
  const decode = async (index: number): Promise<DecodedImage> => {
    volume ??= runInThread<NiftiVolume>('niftiVolume', task, signal)
    const decoded = await volume
    found = { changes: decoded.changes, lowest: decoded.lowest }
    const image = sliceOf(decoded, layout, index)
    // Nobody asks twice: with the last slice the volume goes.
    if (--left === 0) volume = undefined
    return {
      ...image,
      ...(resolved && image.data instanceof Int16Array && { window: resolved }),
      ...(source.label !== undefined && { source: `${source.label}, slice ${index + 1}` }),
    }
  }
  const { spacingMm, slices, width: columns, height: rows } = layout
  const series = {
    uid: '',
    modality: 'unknown',
    slices,
    rows,
    columns,
    ...(isKnown(spacingMm) && { spacingMm }),
    isAxial: true,
    excluded: [],
  }
  return {
    decoders: Array.from({ length: slices }, (_, index) => () => decode(index)),
    volume: { series, gaps: [], warnings: () => warningsOf(layout, found), grid: gridOf(header, layout) },
  }
}

function gridOf({ size, affine, spacing }: NiftiHeader, layout: Layout): VoxelGrid {
  const { width, height, slices: count, first, strides } = layout
  return {
    size,
    ...(affine && { affine }),
    spacingMm: spacing,
    slices: { width, height, count },
    first,
    strides,
  }
}

export async function inspectNifti(source: Encoded, options: DecodeOptions): Promise<ImageSize> {
  const task = await taskOf(source, options)
  const { width, height, slices } = layOut(
    await runInThread<NiftiHeader>('niftiHeader', task, options.signal),
  )
  return { width, height, slices }
}

async function taskOf(
  { name, path, bytes }: Encoded,
  { maxPixels = defaultMaxPixels }: DecodeOptions,
): Promise<NiftiTask> {
  return { name, maxPixels, source: shareFile(path === undefined ? { bytes: await bytes() } : { path }) }
}

function sliceOf({ data }: NiftiVolume, layout: Layout, index: number): DecodedImage {
  const { width, height, spacingMm, place } = layout
  const pixels = width * height
  const [row, column] = spacingMm
  return {
    data: data.slice(index * pixels, (index + 1) * pixels),
    width,
    height,
    channels: 1,
    ...(row > 0 && column > 0 && { spacing: [row, column] as const }),
    ...(place && {
      orientation: place.orientation,
      positionMm: [0, 1, 2].map((axis) => place.first[axis]! + index * place.step[axis]!) as [
        number,
        number,
        number,
      ],
    }),
  }
}

function isKnown(spacingMm: Layout['spacingMm']): boolean {
  return spacingMm.every((mm) => Number.isFinite(mm) && mm > 0)
}

/** What decoding a volume has shown. */
type Findings = Pick<NiftiVolume, 'changes' | 'lowest'>

/** Above this no voxel is air, of which every chest has some, inside and around. */
const noAirHu = -500

function warningsOf({ place }: Layout, found: Findings | undefined): string[] {
  const warnings: string[] = []
  if (!place) {
    warnings.push(
      "The file does not say how it lies in the patient: slices are in the file's order, and left is the image's.",
    )
  } else if (place.obliqueDegrees > 5) {
    warnings.push(
      `The volume is turned by ${place.obliqueDegrees.toFixed(0)}° against the axes of the patient.`,
    )
  }
  if (!found) return warnings
  warnings.push(...describeChanges(found.changes, 'voxels'))
  if (found.lowest > noAirHu && found.lowest !== 0)
    warnings.push(`No value is below ${noAirHu}: these may not be Hounsfield units.`)
  return warnings
}
