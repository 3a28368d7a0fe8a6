import type { DecodedImage } from '../images'
import type { ActivationMap, DiagnosedSlice } from '../run/results'
import { dataUrl } from './data-url'
import {
  activationLayer,
  enlargeMask,
  layerPicture,
  lesionLayer,
  type Mask,
  slicePicture,
  zoomOf,
} from './overlay'
import { storedWindow } from './window-presets'

/** The pictures of one slice as data URLs, to be stacked; they share their aspect, not their size. */
export interface SlicePictures {
  slice: string
  lesions?: string
  activation?: string
}

/** Activation maps are smooth: more detail than this would only be interpolation. */
const largestActivationSide = 96

/** What is drawn over a slice that was segmented, or classified, or both. */
export function overlaysOf({
  classification,
  segmentation,
}: Pick<DiagnosedSlice, 'classification' | 'segmentation'>) {
  return {
    ...(segmentation && { lesions: { ...segmentation, data: segmentation.mask } }),
    activationMap: classification?.activationMap,
  }
}

/** `side` bounds both sides of the slice, pixels: reports of 300 slices must stay small enough to mail. */
export async function slicePictures(
  image: DecodedImage,
  {
    lesions: mask,
    activationMap: map,
  }: { lesions?: Mask | undefined; activationMap?: ActivationMap | undefined },
  side: number,
): Promise<SlicePictures> {
  const fit = { width: side, height: side, fit: 'inside', withoutEnlargement: true } as const
  // In HU, and not through one window for good: the reader chooses.
  const stored = isHounsfield(image) ? { ...image, window: storedWindow } : image
  const slice = await slicePicture(stored).resize(fit).webp({ quality: 86 }).toBuffer()
  const activation =
    map &&
    (await layerPicture(activationLayer(map))
      .resize({ ...fit, width: largestActivationSide, height: largestActivationSide })
      .webp({ quality: 80, alphaQuality: 80 })
      .toBuffer())
  const lesions =
    mask?.data.some((value) => value !== 0) &&
    (await layerPicture(lesionLayer(enlargeMask(mask, zoomOf(mask, 384))))
      .png({ palette: true, colours: 4 })
      .toBuffer())
  return {
    slice: dataUrl('webp', slice),
    ...(lesions && { lesions: dataUrl('png', lesions) }),
    ...(activation && { activation: dataUrl('webp', activation) }),
  }
}

export function isHounsfield({ data }: DecodedImage): boolean {
  return data instanceof Int16Array
}
