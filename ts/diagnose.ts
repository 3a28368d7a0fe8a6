import { checkOptions, requireBoolean, requireNumber, requireWhole } from './base/check'
import { disclaimer } from './base/disclaimer'
import { JcsError } from './base/errors'
import { classifyDefaults, classifySlices } from './classify'
import type { DecodedImage, Images } from './images'
import { decodeSlices } from './inference/slices'
import { type Model, nativeFor } from './model'
import {
  type CommonOptions,
  checkCommonOptions,
  commonNames,
  type ImageOptions,
  withoutUndefined,
} from './run/options'
import type { Diagnosis } from './run/results'
import { Run } from './run/run'
import { segmentDefaults, segmentSlices } from './segment'

/** Table IV of the paper. */
export const defaultSliceThreshold = 25

/** Cases of fewer slices are unlike those that the default slice threshold was calibrated on (250 to 400 slices). */
const calibratedSlices = 250

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
 * segments the lesions of all slices only when it is. Decoded slices are kept until then, 79 MB for 300 slices of 512²
 * with 8 bits.
 *
 * @throws JcsError CASE_TOO_SMALL when the case has no more slices than the default threshold and none was given: it
 * could not be positive whatever it showed
 */
export function diagnose(
  models: { classifier: Model; segmenter: Model },
  slices: Images,
  options: DiagnoseOptions = {},
): Run<Diagnosis> {
  return new Run(async (context) => {
    const startMs = performance.now()
    checkOptions('models', models, ['classifier', 'segmenter'])
    const settings = takeSettings(options)
    const classifier = nativeFor('classification', models.classifier, 'models.classifier')
    const segmenter = nativeFor('segmentation', models.segmenter, 'models.segmenter')

    const decoding = decodeSlices(slices, options, context.signal)
    const images: DecodedImage[] = []
    let decodeMs = 0
    let classifyStartMs = startMs
    const keep = async function* () {
      for await (const image of requireEnough(decoding.images, options.sliceThreshold)) {
        if (images.length === 0) classifyStartMs = performance.now()
        images.push(image)
        yield image
      }
      decodeMs = performance.now() - startMs
    }
    const classifications = await classifySlices(
      classifier,
      { images: keep(), total: decoding.total },
      settings.classification,
      context,
    )
    const classifyMs = performance.now() - classifyStartMs
    if (images.length === 0) throw new JcsError('EMPTY_DATASET', 'the case has no slices')

    const { sliceThreshold } = settings
    const positiveSlices = classifications.filter((classification) => classification.positive).length
    const positive = positiveSlices > sliceThreshold
    const segmentStartMs = performance.now()
    const segmentations = positive
      ? await segmentSlices(
          segmenter,
          { images: each(images), total: () => images.length },
          settings.segmentation,
          context,
        )
      : []
    const endMs = performance.now()

    return {
      positive,
      positiveSlices,
      totalSlices: images.length,
      sliceThreshold,
      slices: classifications.map((classification, index) => {
        const segmentation = segmentations[index]
        return { index, classification, ...(segmentation && { segmentation }) }
      }),
      timing: {
        decodeMs,
        classifyMs,
        segmentMs: positive ? endMs - segmentStartMs : 0,
        totalMs: endMs - startMs,
      },
      warnings: remarks(images.length, sliceThreshold),
      disclaimer,
    }
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
async function* requireEnough(
  slices: AsyncIterable<DecodedImage>,
  givenThreshold: number | undefined,
): AsyncGenerator<DecodedImage> {
  const held: DecodedImage[] = []
  let isEnough = givenThreshold !== undefined
  for await (const slice of slices) {
    if (isEnough) {
      yield slice
      continue
    }
    held.push(slice)
    if (held.length <= defaultSliceThreshold) continue
    isEnough = true
    yield* held.splice(0)
  }
  if (isEnough || held.length === 0) return
  throw new JcsError(
    'CASE_TOO_SMALL',
    `the case has ${held.length} slices, and the default asks for more than ${defaultSliceThreshold} positive ones, ` +
      'so it would be negative whatever it shows; give a sliceThreshold that suits its slice thickness',
  )
}

function remarks(totalSlices: number, sliceThreshold: number): string[] {
  const warnings: string[] = []
  if (totalSlices <= sliceThreshold) {
    warnings.push(
      `The case has ${totalSlices} slices, so more than ${sliceThreshold} can never be positive: it is negative whatever it shows.`,
    )
  }
  if (totalSlices < calibratedSlices) {
    warnings.push(
      `The case has ${totalSlices} slices; slice thresholds were calibrated on cases of 250 to 400 thin slices, and ${sliceThreshold} may not suit it.`,
    )
  }
  return warnings
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}
