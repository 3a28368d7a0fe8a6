import { checkOptions } from './base/check'
import { Case } from './cases'
import type { Images } from './images'
import { checkImageOptions, type ImageOptions, imageOptionNames } from './run/options'

export type { Case }

/**
 * Opens a case, for several things to be done with it: `classify`, `segment`, `diagnose` and `diagnosisReport` take it
 * in place of images, and decode nothing twice. Slices are decoded when they are first asked for. Bytes and pixels given
 * directly or in an array are copied when the function is called.
 *
 * @throws JcsError INVALID_TYPE, INVALID_ARGUMENT; what reading an image gives surfaces where the slice is used
 */
export function openCase(images: Images, options: ImageOptions = {}): Case {
  checkOptions('options', options, imageOptionNames)
  checkImageOptions(options)
  return new Case(images, options, 'patient')
}
