import { checkOptions } from './base/check'
import { disclaimer } from './base/disclaimer'
import { JcsError } from './base/errors'
import { version } from './base/version'
import { Case, withCase } from './cases'
import { type Decision, decide, resolveSliceThreshold } from './diagnosis/decision'
import { assumedSpacingWarning, lesionAreas, measure } from './diagnosis/measurement'
import {
  type DiagnoseOptions,
  type DiagnosisSettings,
  defaultSliceThreshold,
  takeDiagnosisSettings,
} from './diagnosis/options'
import type { Images } from './images'
import { classifySlices } from './inference/classification'
import { segmentSlices, withMask } from './inference/segmentation'
import { type SliceStream, streamSlices } from './inference/slices'
import { type Model, nativeFor } from './model'
import { callNativeNow, type NativeModel } from './native'
import type { DiagnosedSlice, Diagnosis, DiagnosisModel } from './run/results'
import { Run, type RunContext } from './run/run'

export { type DiagnoseOptions, defaultSliceThreshold }

export interface DiagnosisModels {
  /** Decides which slices are positive. Without it the area of their lesions does. */
  classifier?: Model | undefined
  segmenter: Model
  /** Finds the lungs, for `involvement`. */
  lungs?: Model | undefined
}

/**
 * Diagnoses a case. With a classifier it is the paper's joint diagnosis: all slices are classified, the case is positive
 * when more than `sliceThreshold` of them are, and lesions are segmented only when it is, or when there is a lung model
 * to measure them against. Without a classifier all slices are segmented, and positive by the area of their lesions.
 * Slices are decoded once, and kept until the end.
 *
 * With a lung model, slices that are missing in a DICOM series stop the diagnosis, for volumes over a gap are wrong;
 * `onGap: 'warn'` goes on.
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
    const onGap = natives.lungs && !(slices instanceof Case) ? (options.onGap ?? 'refuse') : options.onGap
    const described = describeModels(models)
    described.catch(() => {}) // awaited below
    const notices = noticesOf(models)
    return withCase(slices, { ...options, onGap }, 'patient', async (scan) => ({
      ...(await diagnoseCase(scan, natives, { ...settings, minLesionAreaMm2 }, options, context)),
      models: await described,
      version,
      notices,
      disclaimer,
    }))
  }, options)
}

interface NativeModels {
  classifier?: NativeModel | undefined
  segmenter: NativeModel
  lungs?: NativeModel | undefined
}

function takeModels(models: DiagnosisModels): NativeModels {
  checkOptions('models', models, ['classifier', 'segmenter', 'lungs'])
  const { classifier, segmenter, lungs } = models
  return {
    classifier: classifier && nativeFor('classification', classifier, 'models.classifier'),
    segmenter: nativeFor('segmentation', segmenter, 'models.segmenter'),
    lungs: lungs && nativeFor('segmentation', lungs, 'models.lungs'),
  }
}

const roles = ['classifier', 'segmenter', 'lungs'] as const

function describeModels(models: DiagnosisModels): Promise<DiagnosisModel[]> {
  const given = roles.flatMap((role) => (models[role] ? [{ role, model: models[role] }] : []))
  return Promise.all(
    given.map(async ({ role, model }) => {
      const { window, spec } = model
      const sha256 = await model.sha256()
      return { role, network: spec.network, window, ...(sha256 !== undefined && { sha256 }) }
    }),
  )
}

/** Each once. */
function noticesOf(models: DiagnosisModels): string[] {
  const notices = roles.flatMap((role) => models[role]?.notice ?? [])
  return [...new Set(notices)]
}

async function diagnoseCase(
  scan: Case,
  { classifier, segmenter, lungs }: NativeModels,
  settings: DiagnosisSettings & { minLesionAreaMm2: number },
  options: DiagnoseOptions,
  context: RunContext,
): Promise<Omit<Diagnosis, 'models' | 'version' | 'notices' | 'disclaimer'>> {
  const clock = new Stopwatch()
  const stream = new SlicesOnce(scan, clock, context, options.sliceThreshold === undefined)
  const { classification, segmentation, minLesionAreaMm2 } = settings

  const classifications =
    classifier &&
    (await clock.time('classifyMs', () => classifySlices(classifier, stream.next(), classification, context)))
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
    (await clock.time('lungsMs', () => segmentSlices(lungs, stream.next(), settings.lungs, context, 'lungs')))
  const segmentations = isSegmented
    ? await clock.time('segmentMs', () => segmentSlices(segmenter, stream.next(), segmentation, context))
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

/** The slices of a case for one network after another: the first waits for them to be decoded. */
class SlicesOnce {
  #isDecoded = false

  constructor(
    readonly scan: Case,
    readonly clock: Stopwatch,
    readonly context: RunContext,
    /** Whether a case too small for the default threshold is refused. */
    readonly isDefault: boolean,
  ) {}

  next(): SliceStream {
    const { scan, context } = this
    const indices = this.#isDecoded ? scan.indices(context.signal) : this.#decode()
    this.#isDecoded = true
    return { scan, indices, isLastUse: false }
  }

  async *#decode(): AsyncGenerator<number> {
    const { scan, clock, context } = this
    for await (const index of this.isDefault ? decidable(scan, context) : streamSlices(scan, context)) {
      if (index === 0) clock.firstSlice()
      yield index
    }
    clock.decoded()
  }
}

type Part = Exclude<keyof Diagnosis['timing'], 'decodeMs' | 'totalMs'>

class Stopwatch {
  readonly #startMs = performance.now()
  readonly #parts: Record<Part, number> = { classifyMs: 0, lungsMs: 0, segmentMs: 0, measureMs: 0 }
  #decodeMs = 0
  #firstSliceMs = 0

  firstSlice(): void {
    this.#firstSliceMs = performance.now()
  }

  decoded(): void {
    this.#decodeMs = performance.now() - this.#startMs
  }

  /** Waiting for the first slice is no part's time but decoding's. */
  async time<T>(part: Part, work: () => Promise<T>): Promise<T> {
    const startMs = performance.now()
    const result = await work()
    this.#parts[part] = performance.now() - Math.max(startMs, this.#firstSliceMs)
    return result
  }

  timing(): Diagnosis['timing'] {
    return { decodeMs: this.#decodeMs, ...this.#parts, totalMs: performance.now() - this.#startMs }
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
