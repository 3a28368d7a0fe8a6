import { type DecodedImage, namedWindows } from '../images'
import { loadSharp } from '../images/sharp'
import { narrowestStrip, textStrip } from './burnt-in-text'
import {
  enlargeMask,
  layerPicture,
  lesionLayer,
  type Mask,
  outlineLayer,
  slicePicture,
  zoomOf,
} from './overlay'

/** RGB, row by row. */
export interface KeyPicture {
  data: Uint8Array
  width: number
  height: number
  /** Pixels of the picture in one of the slice, along each side. */
  zoom: number
}

/** Burnt into every one. */
export const keyPictureNotice = 'jcs-ct overlay, research use, not a medical device'

/**
 * A slice as the report shows it first, through the lung window where its values are in HU, enlarged by a whole factor to
 * 512 pixels at least, with lesions filled and outlined, lungs outlined, and the notice in a strip below.
 */
export async function keyPicture(
  slice: DecodedImage,
  masks: { lesions?: Mask | undefined; lungs?: Mask | undefined },
): Promise<KeyPicture> {
  const zoom = zoomOf(slice)
  const [width, height] = [zoom * slice.width, zoom * slice.height]
  const enlarged = await slicePicture({ ...slice, window: namedWindows.lung })
    .resize(width, height, { kernel: 'cubic' })
    .png()
    .toBuffer()
  const large = (mask: Mask) => enlargeMask(mask, zoom)
  // Lesions lie over lungs.
  const layers = [
    ...(masks.lungs ? [outlineLayer(large(masks.lungs))] : []),
    ...(masks.lesions ? [lesionLayer(large(masks.lesions))] : []),
  ]
  const pictures = layers.map(async (layer) => ({ input: await layerPicture(layer).png().toBuffer() }))
  const strip = textStrip(keyPictureNotice, Math.max(width, narrowestStrip))
  const right = Math.max(0, narrowestStrip - width)
  const drawn = await loadSharp()(enlarged)
    .toColourspace('srgb')
    .composite(await Promise.all(pictures))
    .png()
    .toBuffer()
  const data = await loadSharp()(drawn).extend({ right, background: '#000' }).removeAlpha().raw().toBuffer()
  return {
    data: Buffer.concat([data, strip.data]),
    width: width + right,
    height: height + strip.height,
    zoom,
  }
}
