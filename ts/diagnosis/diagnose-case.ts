import { disclaimer } from '../base/disclaimer'
import { version } from '../base/version'
import type { Case } from '../cases'
import { classifySlices } from '../inference/classification'
import { segmentSlices, withMask } from '../inference/segmentation'
import type { DiagnosedSlice, Diagnosis } from '../run/results'
import type { RunContext } from '../run/run'
import { type Decision, decide, resolveSliceThreshold } from './decision'
import { assumedSpacingWarning, lesionAreas, measure } from './measurement'
import { type DiagnosisModels, type DiagnosisNetworks, describeModels, noticesOf } from './models'
import type { DiagnosisSettings } from './options'
import { sliceStreams } from './slices'
import { Stopwatch } from './stopwatch'

/** `networks` see the slices; `models` is what the result says of them. */
export async function diagnoseCase(
  scan: Case,
  models: DiagnosisModels,
  networks: DiagnosisNetworks,
  settings: DiagnosisSettings,
  context: RunContext,
): Promise<Diagnosis> {
  const described = describeModels(models)
  described.catch(() => {}) // awaited below
  const notices = noticesOf(models)
  const { minLesionAreaMm2 = models.segmenter.minLesionAreaMm2 } = settings
  return {
    ...(await decideCase(scan, networks, { ...settings, minLesionAreaMm2 }, context)),
    models: await described,
    version,
    notices,
    disclaimer,
  }
}

async function decideCase(
  scan: Case,
  { classifier, segmenter, lungs }: DiagnosisNetworks,
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
