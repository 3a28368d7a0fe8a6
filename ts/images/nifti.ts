import { type Layout, layOut, type NiftiHeader, type NiftiTask, type NiftiVolume } from '../nifti'
import { runInThread, shareBytes } from '../threads'
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
  const { window = 'lung', signal } = options
  const resolved = resolveWindow(window, 'options')
  const task = await taskOf(source, options)
  const layout = layOut(await runInThread<NiftiHeader>('niftiHeader', task, signal))
  let volume: Promise<NiftiVolume> | undefined
  let left = layout.slices
  let notes: NiftiVolume | undefined
  const decode = async (index: number): Promise<DecodedImage> => {
    volume ??= runInThread<NiftiVolume>('niftiVolume', task, signal)
    const decoded = await volume
    notes = decoded
    const image = sliceOf(decoded, layout, index)
    // Nobody asks twice: with the last slice the volume goes.
    if (--left === 0) {
      volume = undefined
      notes = { ...decoded, data: new Uint8Array() }
    }
    return {
      ...image,
      ...(image.data instanceof Int16Array && { window: resolved }),
      ...(source.label !== undefined && { source: `${source.label}, slice ${index + 1}` }),
    }
  }
  const { spacingMm, slices } = layout
  return {
    decoders: Array.from({ length: slices }, (_, index) => () => decode(index)),
    series: {
      uid: '',
      modality: 'unknown',
      slices,
      ...(isKnown(spacingMm) && { spacingMm }),
      excluded: [],
      warnings: () => warningsOf(layout, notes),
    },
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
  return { name, maxPixels, source: path === undefined ? { bytes: shareBytes(await bytes()) } : { path } }
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

/** Above this no voxel is air, of which every chest has some, inside and around. */
const noAirHu = -500

function warningsOf({ place }: Layout, volume: NiftiVolume | undefined): string[] {
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
  if (!volume) return warnings
  if (volume.isRounded) warnings.push('Values were rounded to whole Hounsfield units.')
  if (volume.saturatedVoxels > 0)
    warnings.push(
      `${volume.saturatedVoxels} voxels exceed 16 bits and were set to the nearest value that does not.`,
    )
  if (volume.notFiniteVoxels > 0)
    warnings.push(`${volume.notFiniteVoxels} voxels are no numbers and became air.`)
  if (volume.lowest > noAirHu && volume.lowest !== 0)
    warnings.push(`No value is below ${noAirHu}: these may not be Hounsfield units.`)
  return warnings
}
