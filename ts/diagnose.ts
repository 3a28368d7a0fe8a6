import { disclaimer } from './base/disclaimer'
import { JcsError } from './base/errors'
import { version } from './base/version'
import { type Case, withCase } from './cases'
import { type Decision, decide, resolveSliceThreshold } from './diagnosis/decision'
import { assumedSpacingWarning, lesionAreas, measure } from './diagnosis/measurement'
import {
  type DiagnosisModels,
  describeModels,
  type NativeModels,
  noticesOf,
  takeModels,
} from './diagnosis/models'
import {
  type DiagnoseOptions,
  type DiagnosisSettings,
  defaultSliceThreshold,
  takeDiagnosisSettings,
} from './diagnosis/options'
import { sliceStreams } from './diagnosis/slices'
import { Stopwatch } from './diagnosis/stopwatch'
import type { Images } from './images'
import { classifySlices } from './inference/classification'
import { segmentSlices, withMask } from './inference/segmentation'
import type { DiagnosedSlice, Diagnosis } from './run/results'
import { Run, type RunContext } from './run/run'

export { type DiagnoseOptions, type DiagnosisModels, defaultSliceThreshold }

/**
 * Diagnoses a case. With a classifier it is the paper's joint diagnosis: all slices are classified, the case is positive
 * when more than `sliceThreshold` of them are, and lesions are segmented only when it is, or when there is a lung model
 * to measure them against. Without a classifier all slices are segmented, and positive by the area of their lesions.
 * Slices are decoded once, and kept until the end.
 *
 * With a lung model, slices that are missing in a DICOM series stop the diagnosis, for volumes over a gap are wrong;
 * `onGap: 'warn'`, of the case where one was opened, goes on.
 *
 * @throws JcsError CASE_TOO_SMALL when the case has no more slices than the default threshold and none was given: it
 * could not be positive whatever it showed; INCOMPLETE_SERIES
 */
export function diagnose(
  models: DiagnosisModels,
  slices: Images | Case,
  options: DiagnoseOptions = {},
): Run<Diagnosis> {
  return new Run(async (context) => {
    const natives = takeModels(models)
    const settings = takeDiagnosisSettings(options)
    if (settings.classification.explain && !natives.classifier)
      throw new JcsError('INVALID_ARGUMENT', 'explain needs a classifier: activation maps are its own')
    const minLesionAreaMm2 = settings.minLesionAreaMm2 ?? models.segmenter.minLesionAreaMm2
    const described = describeModels(models)
    described.catch(() => {}) // awaited below
    const notices = noticesOf(models)
    return withCase(slices, options, 'patient', async (scan) => ({
      ...(await diagnoseCase(scan, natives, { ...settings, minLesionAreaMm2 }, context)),
      models: await described,
      version,
      notices,
      disclaimer,
    }))
  }, options)
}

async function diagnoseCase(
  scan: Case,
  { classifier, segmenter, lungs }: NativeModels,
  settings: DiagnosisSettings & { minLesionAreaMm2: number },
  context: RunContext,
): Promise<Omit<Diagnosis, 'models' | 'version' | 'notices' | 'disclaimer'>> {
  const clock = new Stopwatch()
  const checks = { isDecidable: settings.isDefaultThreshold, isComplete: lungs !== undefined }
  const nextSlices = sliceStreams(scan, checks, clock, context)
  const { classification, segmentation, minLesionAreaMm2 } = settings

  const classifications =
    classifier &&
    (await clock.time('classifyMs', () => classifySlices(classifier, nextSlices(), classification, context)))
  const threshold = () => resolveSliceThreshold(settings.sliceThreshold, scan)
  const byClassifier =
    classifications &&
    decide(
      classifications.map(({ probability }) => probability),
      classification.threshold,
      threshold(),
    )

  const isSegmented = !byClassifier || byClassifier.positive || lungs !== undefined
  const lungSegmentations =
    lungs &&
    (await clock.time('lungsMs', () => segmentSlices(lungs, nextSlices(), settings.lungs, context, 'lungs')))
  const segmentations = isSegmented
    ? await clock.time('segmentMs', () => segmentSlices(segmenter, nextSlices(), segmentation, context))
    : []
  const measured =
    lungSegmentations &&
    (await clock.time('measureMs', () => measure(scan, lungSegmentations, segmentations, context)))
  const measurement = measured && 'involvement' in measured ? measured : undefined

  const { areasMm2, isKnown } = measurement
    ? { areasMm2: measurement.lesionAreasMm2, isKnown: true }
    : lesionAreas(segmentations)
  const decision: Decision = byClassifier ?? decide(areasMm2, minLesionAreaMm2, threshold())
  const { slices: sliceThreshold, millimetres: sliceThresholdMm } = threshold()
  return {
    positive: decision.positive,
    basis: classifier ? 'classifier' : 'lesion-area',
    positiveSlices: decision.positiveSlices,
    totalSlices: decision.isPositive.length,
    sliceThreshold,
    ...(sliceThresholdMm !== undefined && { sliceThresholdMm }),
    ...(!classifier && { minLesionAreaMm2 }),
    ...(measurement && { involvement: measurement.involvement }),
    slices: decision.isPositive.map((positive, index): DiagnosedSlice => {
      const positionMm = scan.heightMm(index)
      const slice = {
        index,
        ...(positionMm !== undefined && { positionMm }),
        positive,
        ...(classifications && { classification: classifications[index]! }),
        ...(segmentations[index] && { segmentation: segmentations[index] }),
        ...(isSegmented && isKnown && { lesionAreaMm2: areasMm2[index]! }),
      }
      return measurement ? withMask(slice, 'lungMask', measurement.lungMasks[index]!) : slice
    }),
    ...(scan.series && { series: scan.series }),
    laterality: scan.laterality,
    timing: clock.timing(),
    warnings: [
      ...scan.warnings,
      ...decision.warnings,
      ...(measured && 'reason' in measured ? [measured.reason] : []),
      ...(classifier || isKnown ? [] : [assumedSpacingWarning]),
    ],
  }
}
