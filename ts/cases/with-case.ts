import { JcsError } from '../base/errors'
import type { Images } from '../images'
import { type ImageOptions, imageOptionNames } from '../run/options'
import { Case } from './case'

/**
 * Gives `use` the case that a function was given, or one of its own made of the images that it was given instead, which
 * is disposed of afterwards. `isInOrderGiven`: as for `Case`.
 *
 * @throws JcsError INVALID_ARGUMENT for image options beside a case, which has its own
 */
export async function withCase<T>(
  slices: Images | Case,
  options: ImageOptions,
  use: (scan: Case, isOwn: boolean) => Promise<T>,
  isInOrderGiven = false,
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
  using scan = new Case(slices, options, isInOrderGiven)
  return await use(scan, true)
}
