import { checkOptions, requireBoolean, requireNumber } from './base/check'
import { type Case, withCase } from './cases'
import { overDataset } from './evaluation/over-dataset'
import type { Images } from './images'
import { streamSlices } from './inference/slices'
import { type Model, nativeOf } from './model'
import { type CommonOptions, checkCommonOptions, commonNames, type ImageOptions } from './run/options'
import { Run } from './run/run'

export interface QuantizeOptions extends CommonOptions, ImageOptions {
  /**
   * How far results may move: of a classifier the mean change of a slice's probability; of a segmenter 1 − the Dice
   * coefficient of its masks before and after, or the mean change of a pixel's probability where neither has a lesion.
   * Default 0.01.
   */
  largestChange?: number | undefined
  /**
   * Whether layers are left that are no faster in 8 bits here. Default: where the processor multiplies bytes (`int8` of
   * `devices()`); elsewhere nothing could be measured, and all layers are taken that the change allows.
   */
  measureSpeed?: boolean | undefined
  /** Default 4. */
  batchSize?: number | undefined
}

export interface QuantizedLayer {
  /** The convolution, by the name that its weights have without `.weight`. */
  name: string
  /** What its input is taken to lie between; larger values are cut off. */
  low: number
  high: number
  /** Why it stays as it was; absent where it is computed in 8 bits. */
  leftFor?: 'accuracy' | 'speed'
  /** How far results move where it alone is in 8 bits; measured only where all together moved them too far. */
  change?: number
}

export interface Quantization {
  /** In the network's order. */
  layers: QuantizedLayer[]
  /** With every layer that is fast enough in 8 bits. */
  changeOfAll: number
  /** With those that the model has in 8 bits now: at most `largestChange`. */
  change: number
}

/**
 * Lets a model compute convolutions in 8 bits: post-training quantisation, by layer and, of weights, by output channel;
 * Jacob et al., *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*, CVPR 2018.
 * A handful of slices of the kind that it will see, unlabelled, say what each layer's input lies between. Where all
 * layers together move results too far, those that alone move them most stay as they are.
 *
 * The weights stay as they are, too. What was found is saved with the model, which computes in 8 bits from then on where
 * the processor is fast at it (`model.precision` says `int8`), and as before elsewhere; `precision: 'int8'` asks for it
 * anywhere on a CPU. Training or changing parameters ends it. Nothing else should use the model meanwhile.
 *
 * @throws JcsError INVALID_ARGUMENT on a device that does not compute in 8 bits, EMPTY_DATASET without a slice, and
 * whatever reading an image gives. The model is as it was then.
 */
export function quantize(
  model: Model,
  images: Images | Case,
  options: QuantizeOptions = {},
): Run<Quantization> {
  return new Run(async (context) => {
    checkOptions('options', options, [...commonNames, 'largestChange', 'measureSpeed'])
    checkCommonOptions(options)
    const { largestChange = 0.01, measureSpeed, batchSize = 4 } = options
    requireNumber('largestChange', largestChange, 0, 1)
    if (measureSpeed !== undefined) requireBoolean('measureSpeed', measureSpeed)
    nativeOf(model)
    return withCase(images, options, 'given', async (scan) => {
      for await (const _ of streamSlices(scan, context));
      const found = await overDataset(({ quantize }) => quantize, model, scan.store, batchSize, context, {
        largestChange,
        ...(measureSpeed !== undefined && { measureSpeed }),
      })
      model.forgetFile()
      return found as Quantization
    })
  }, options)
}
