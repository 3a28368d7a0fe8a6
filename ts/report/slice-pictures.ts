import type { DecodedImage } from '../images'
import type { DiagnosedSlice } from '../run/results'
import { activationLayer, enlargeMask, layerPicture, lesionLayer, slicePicture } from './overlay'

/** The pictures of one slice as data URLs, to be stacked; they share their aspect, not their size. */
export interface SlicePictures {
  slice: string
  lesions?: string
  activation?: string
}

/** Activation maps are smooth: more detail than this would only be interpolation. */
const largestActivationSide = 96

/** `side` bounds both sides of the slice, pixels: reports of 300 slices must stay small enough to mail. */
export async function slicePictures(
  image: DecodedImage,
  { classification, segmentation }: DiagnosedSlice,
  side: number,
): Promise<SlicePictures> {
  const fit = { width: side, height: side, fit: 'inside', withoutEnlargement: true } as const
  const slice = await slicePicture(image).resize(fit).webp({ quality: 88 }).toBuffer()
  const map = classification?.activationMap
  const activation =
    map &&
    (await layerPicture(activationLayer(map))
      .resize({ ...fit, width: largestActivationSide, height: largestActivationSide })
      .webp({ quality: 80, alphaQuality: 80 })
      .toBuffer())
  const hasLesions = segmentation !== undefined && segmentation.areaPixels > 0
  const lesions =
    hasLesions &&
    (await layerPicture(lesionLayer(enlargeMask({ ...segmentation, data: segmentation.mask }, 384)))
      .png({ palette: true, colours: 4 })
      .toBuffer())
  return {
    slice: dataUrl('webp', slice),
    ...(lesions && { lesions: dataUrl('png', lesions) }),
    ...(activation && { activation: dataUrl('webp', activation) }),
  }
}

function dataUrl(format: string, bytes: Buffer): string {
  return `data:image/${format};base64,${bytes.toString('base64')}`
}
