import { requireBoolean, requireKnown, requireNumber, requireObject } from '../base/check'
import { JcsError } from '../base/errors'
import type { NativeTestTimeAugmentation } from '../native'

/**
 * The network sees each slice several times, flipped and at several sizes, and its outputs are averaged once they are
 * turned back: the probabilities of segmenters, the logits and activation maps of classifiers. Costs as much as seeing
 * as many slices.
 */
export interface TestTimeAugmentation {
  /** Left to right as well. Default false. */
  horizontalFlip?: boolean | undefined
  /** Upside down as well; with both flips there are four views of each size. Default false. */
  verticalFlip?: boolean | undefined
  /**
   * Sizes of the network's input, as multiples of the model's own from 0.25 to 4; one to five of them. Rounded to 32
   * pixels. Default [1].
   */
  scales?: readonly number[] | undefined
}

const mostScales = 5

/** INVALID_TYPE and INVALID_ARGUMENT for what is no such option; undefined where it asks for nothing. */
export function takeTestTimeAugmentation(
  option: TestTimeAugmentation | undefined,
): NativeTestTimeAugmentation | undefined {
  if (option === undefined) return undefined
  const name = 'testTimeAugmentation'
  requireObject(name, option)
  requireKnown(name, option, ['horizontalFlip', 'verticalFlip', 'scales'])
  const { horizontalFlip = false, verticalFlip = false, scales = [1] } = option
  requireBoolean(`${name}.horizontalFlip`, horizontalFlip)
  requireBoolean(`${name}.verticalFlip`, verticalFlip)
  if (!Array.isArray(scales)) throw new JcsError('INVALID_TYPE', `${name}.scales must be an array of numbers`)
  if (scales.length === 0 || scales.length > mostScales)
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${name}.scales must have 1 to ${mostScales} scales, got ${scales.length}`,
    )
  for (const scale of scales) requireNumber(`every one of ${name}.scales`, scale, 0.25, 4)
  return { horizontalFlip, verticalFlip, scales: [...scales] }
}
