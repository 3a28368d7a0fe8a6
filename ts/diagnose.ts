import { checkOptions, requireBoolean, requireNumber, requireWhole } from './base/check'
import { disclaimer } from './base/disclaimer'
import { type Case, withCase } from './cases'
import type { Images } from './images'
import { classifyDefaults, classifySlices } from './inference/classification'
import { segmentDefaults, segmentSlices } from './inference/segmentation'
import { streamSlices } from './inference/slices'
import { type Model, nativeFor } from './model'
import { callNativeNow } from './native'
import {
  type CommonOptions,
  checkCommonOptions,
  commonNames,
  type ImageOptions,
  withoutUndefined,
} from './run/options'
import type { Diagnosis } from './run/results'
import { Run, type RunContext } from './run/run'

/** Table IV of the paper. */
export const defaultSliceThreshold = 25

export interface DiagnoseOptions extends CommonOptions, ImageOptions {
  /** A case is positive when more slices than this are positive. Default 25, for thin slices of a whole chest. */
  sliceThreshold?: number | undefined
  /** Activation maps of all slices, equations (1) and (2) of the paper. Default false. */
  explain?: boolean | undefined
  /** A slice is positive when its probability is above this. Default 0.5. */
  classificationThreshold?: number | undefined
  /** A pixel is lesion when its probability is above this. Default 0.5. */
  segmentationThreshold?: number | undefined
  /** The lesion probability of every pixel as well. Default false. */
  probabilities?: boolean | undefined
  /** Lesions of fewer pixels are left out of `lesions`; the mask keeps them. Default 1: none is. */
  minAreaPixels?: number | undefined
  /** Of both networks. Default 16 for the classifier, 4 for the segmenter. */
  batchSize?: number | undefined
}

/**
 * Diagnoses a case: classifies all of its slices, calls it positive when more than `sliceThreshold` of them are, and
 * segments the lesions of all slices only when it is. Slices are decoded once, and kept until then.
 *
 * @throws JcsError CASE_TOO_SMALL when the case has no more slices than the default threshold and none was given: it
 * could not be positive whatever it showed
 */
export function diagnose(
  models: { classifier: Model; segmenter: Model },
  slices: Images | Case,
  options: DiagnoseOptions = {},
): Run<Diagnosis> {
  return new Run(async (context) => {
    const startMs = performance.now()
    checkOptions('models', models, ['classifier', 'segmenter'])
    const settings = takeSettings(options)
    const classifier = nativeFor('classification', models.classifier, 'models.classifier')
    const segmenter = nativeFor('segmentation', models.segmenter, 'models.segmenter')

    return withCase(slices, options, 'patient', async (scan) => {
      let decodeMs = 0
      let classifyStartMs = startMs
      const decode = async function* () {
        const isGiven = options.sliceThreshold !== undefined
        for await (const index of isGiven ? streamSlices(scan, context) : decidable(scan, context)) {
          if (index === 0) classifyStartMs = performance.now()
          yield index
        }
        decodeMs = performance.now() - startMs
      }
      const classifications = await classifySlices(
        classifier,
        { scan, indices: decode(), isLastUse: false },
        settings.classification,
        context,
      )
      const classifyMs = performance.now() - classifyStartMs

      const { sliceThreshold } = settings
      const probabilities = Float32Array.from(classifications, ({ probability }) => probability)
      const { positive, positiveSlices, warnings } = callNativeNow((native) =>
        native.decideCase(probabilities, settings.classification.threshold, sliceThreshold),
      )
      const segmentStartMs = performance.now()
      const segmentations = positive
        ? await segmentSlices(
            segmenter,
            { scan, indices: scan.indices(context.signal), isLastUse: false },
            settings.segmentation,
            context,
          )
        : []
      const endMs = performance.now()

      return {
        positive,
        positiveSlices,
        totalSlices: classifications.length,
        sliceThreshold,
        slices: classifications.map((classification, index) => {
          const segmentation = segmentations[index]
          const positionMm = scan.heightMm(index)
          return {
            index,
            ...(positionMm !== undefined && { positionMm }),
            classification,
            ...(segmentation && { segmentation }),
          }
        }),
        ...(scan.series && { series: scan.series }),
        laterality: scan.laterality,
        timing: {
          decodeMs,
          classifyMs,
          segmentMs: positive ? endMs - segmentStartMs : 0,
          totalMs: endMs - startMs,
        },
        warnings: [...scan.warnings, ...warnings],
        disclaimer,
      }
    })
  }, options)
}

function takeSettings(options: DiagnoseOptions) {
  checkOptions('options', options, [
    ...commonNames,
    'sliceThreshold',
    'explain',
    'classificationThreshold',
    'segmentationThreshold',
    'probabilities',
    'minAreaPixels',
  ])
  checkCommonOptions(options)
  const given = withoutUndefined(options)
  const {
    sliceThreshold = defaultSliceThreshold,
    explain = classifyDefaults.explain,
    classificationThreshold = classifyDefaults.threshold,
    segmentationThreshold = segmentDefaults.threshold,
    probabilities = segmentDefaults.probabilities,
    minAreaPixels = segmentDefaults.minAreaPixels,
    batchSize,
  } = given
  requireWhole('sliceThreshold', sliceThreshold, 0)
  requireBoolean('explain', explain)
  requireNumber('classificationThreshold', classificationThreshold, 0, 1)
  requireNumber('segmentationThreshold', segmentationThreshold, 0, 1)
  requireBoolean('probabilities', probabilities)
  requireWhole('minAreaPixels', minAreaPixels, 1)
  return {
    sliceThreshold,
    classification: {
      batchSize: batchSize ?? classifyDefaults.batchSize,
      explain,
      threshold: classificationThreshold,
    },
    segmentation: {
      batchSize: batchSize ?? segmentDefaults.batchSize,
      threshold: segmentationThreshold,
      probabilities,
      minAreaPixels,
    },
  }
}

/** Holds the first slices back until there are enough, so that a case too small costs no computation. */
async function* decidable(scan: Case, context: RunContext): AsyncGenerator<number> {
  let held = 0
  for await (const index of streamSlices(scan, context)) {
    held = index + 1
    if (held <= defaultSliceThreshold) continue
    if (held === defaultSliceThreshold + 1) yield* Array(defaultSliceThreshold).keys()
    yield index
  }
  if (held > 0) callNativeNow((native) => native.requireDecidable(held, defaultSliceThreshold))
}
