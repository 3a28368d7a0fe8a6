import { JcsError } from '../base/errors'
import type { Images, SliceOrder } from '../images'
import { type ImageOptions, imageOptionNames } from '../run/options'
import { Case } from './case'

/**
 * Gives `use` the case that a function was given, or one of its own made of the images that it was given instead, which
 * is disposed of afterwards. `order`: of DICOM files in an array.
 *
 * @throws JcsError INVALID_ARGUMENT for image options beside a case, which has its own
 */
export async function withCase<T>(
  slices: Images | Case,
  options: ImageOptions,
  order: SliceOrder,
  use: (scan: Case, isOwn: boolean) => Promise<T>,
): Promise<T> {
  if (slices instanceof Case) {
    const beside = imageOptionNames.find((name) => options[name] !== undefined)
    if (beside) {
      throw new JcsError(
        'INVALID_ARGUMENT',
        `${beside} is an option of openCase; the case was opened already`,
      )
    }
    return use(slices, false)
  }
  using scan = new Case(slices, options, order)
  return await use(scan, true)
}
