import { join } from 'node:path'
import { makeDirectory, writeFileAtomically } from '../base/write-files'
import { diagnose } from '../diagnose'
import type { Model } from '../model'
import type { RuntimeOptions } from '../model/runtime'
import { openCase } from '../open-case'
import { generateCase, generateDataset, type PhantomCase, type PhantomSample } from '../phantom'
import { Random } from '../phantom/random'
import { diagnosisReport, trainingReport } from '../report'
import type { Diagnosis } from '../run/results'
import { type TrainResult, train } from '../train'
import { type DicomPhantom, diagnoseDicomPhantom } from './dicom-phantom'
import type { Follow } from './follow'
import { demoPlan } from './plan'

export interface DemoOptions extends RuntimeOptions {
  /** Decides every phantom, all weights and the order of training. Default 0. */
  seed?: number | undefined
  /** Where models and reports go; made when missing. */
  directory: string
  follow: Follow
  /** Told what comes next, as a sentence for people. */
  say(text: string): void
}

/** One held-out case and what became of it. */
export interface DemoCase {
  name: string
  infected: boolean
  positive: boolean
  correct: boolean
  positiveSlices: number
  totalSlices: number
  /** Over all pixels of the case; only of infected cases that were found positive. */
  lesionDice?: number
  timeMs: number
  /** Path of its report. */
  report: string
}

export interface DemoResult {
  seed: number
  /** Whether every held-out case came out right. */
  passed: boolean
  sliceThreshold: number
  cases: DemoCase[]
  /** Of the classifier, on slices of patients that it was not trained on. */
  classification: Record<string, number>
  /** Of the segmenter, likewise. */
  segmentation: Record<string, number>
  timing: {
    phantomsMs: number
    classifierMs: number
    segmenterMs: number
    diagnosisMs: number
    totalMs: number
  }
  /** A phantom as a folder of DICOM files, diagnosed by the shipped models, where they are installed. */
  dicom?: DicomPhantom
  /** Paths of the reports of the two trainings. */
  reports: string[]
}

/**
 * Trains a narrow classifier and a narrow segmenter on synthetic phantoms and diagnoses phantoms that they have not
 * seen. Nothing here says anything about real patients.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { seed = 0, directory, follow, say, device, precision = demoPlan.precision, threads } = options
  const runtime = { device, precision, threads }
  await makeDirectory(directory)
  const clock = new Stopwatch()

  const patients = demoPlan.trainCases + demoPlan.validationCases
  say(`Drawing slices of ${patients} synthetic patients: no real data, and no clinical claim follows.`)
  const trainSet = await drawDataset(seed, 'train', demoPlan.trainCases)
  const validationSet = await drawDataset(seed, 'validation', demoPlan.validationCases)
  const phantomsMs = clock.lap()

  say(`\nTraining a classifier, ${describe(demoPlan.classifier.spec)}, on ${trainSet.length} slices`)
  const classifier = await follow((controls) =>
    train({
      ...demoPlan.classifier,
      ...runtime,
      seed,
      data: { train: trainSet, validation: validationSet },
      ...controls,
    }),
  )
  await using classifierModel: Model = classifier.model
  const classifierMs = clock.lap()

  const lesions = trainSet.filter(({ label }) => label === 1)
  say(
    `\nTraining a segmenter, ${describe(demoPlan.segmenter.spec)}, on ${lesions.length} slices with opacities`,
  )
  const segmenter = await follow((controls) =>
    train({
      ...demoPlan.segmenter,
      ...runtime,
      seed,
      data: { train: lesions, validation: validationSet.filter(({ label }) => label === 1) },
      ...controls,
    }),
  )
  await using segmenterModel: Model = segmenter.model
  const segmenterMs = clock.lap()
  const reports = [
    await saveTraining(classifier, 'classifier', directory),
    await saveTraining(segmenter, 'segmenter', directory),
  ]

  const { caseCount, slicesPerCase, sliceThreshold } = demoPlan
  say(
    `\nDiagnosing ${caseCount} cases of ${slicesPerCase} slices that neither network has seen; ` +
      `a case is positive when more than ${sliceThreshold} of its slices are`,
  )
  const cases: DemoCase[] = []
  for (let index = 0; index < caseCount; index++) {
    const phantom = drawCase(seed, index)
    using scan = openCase(phantom.slices.map(({ pixels }) => pixels))
    const diagnosis = await follow((controls) =>
      diagnose({ classifier: classifierModel, segmenter: segmenterModel }, scan, {
        sliceThreshold,
        explain: true,
        ...controls,
      }),
    )
    const report = join(directory, `case-${index + 1}.html`)
    const title = `Case ${index + 1}, a synthetic phantom`
    await writeFileAtomically(report, await diagnosisReport(diagnosis, scan, { title }))
    cases.push({ name: `case ${index + 1}`, ...judge(phantom, diagnosis), report })
  }
  const diagnosisMs = clock.lap()
  say(
    '\nDiagnosing a phantom as a scanner would leave it, a folder of DICOM files, by the models lesions and lungs',
  )
  const dicom = await diagnoseDicomPhantom(
    new Random(seed, 'demo', 'dicom').uint32(),
    directory,
    runtime,
    follow,
  )
  if (!dicom) say('They are not installed: npm install jcs-ct-models')
  return {
    seed,
    passed: cases.every(({ correct }) => correct),
    sliceThreshold,
    cases,
    classification: classifier.metrics,
    segmentation: segmenter.metrics,
    timing: { phantomsMs, classifierMs, segmenterMs, diagnosisMs, totalMs: clock.total() },
    ...(dicom && { dicom }),
    reports,
  }
}

/** In parts, so that an interrupt is heard: drawing holds the event loop. */
async function drawDataset(seed: number, purpose: string, cases: number): Promise<PhantomSample[]> {
  const random = new Random(seed, 'demo', purpose)
  const samples: PhantomSample[] = []
  for (let drawn = 0; drawn < cases; drawn += casesAtATime) {
    await new Promise(setImmediate)
    const part = Math.min(casesAtATime, cases - drawn)
    samples.push(...generateDataset(random.uint32(), { cases: part, size: demoPlan.trainingSize }))
  }
  return samples
}

const casesAtATime = 10

/** Infected and uninfected in turn; seeds of their own, so that no patient was seen in training. */
function drawCase(seed: number, index: number): PhantomCase {
  const caseSeed = new Random(seed, 'demo', 'case', index).uint32()
  const { slicesPerCase: slices, caseSize: size } = demoPlan
  return generateCase(caseSeed, { infected: index % 2 === 0, slices, size })
}

function judge(phantom: PhantomCase, diagnosis: Diagnosis): Omit<DemoCase, 'name' | 'report'> {
  const { positive, positiveSlices, totalSlices, timing } = diagnosis
  return {
    infected: phantom.infected,
    positive,
    correct: positive === phantom.infected,
    positiveSlices,
    totalSlices,
    ...(positive && phantom.infected && { lesionDice: caseDice(phantom, diagnosis) }),
    timeMs: timing.totalMs,
  }
}

/** 2 |A ∩ B| / (|A| + |B|) over all pixels of all slices. */
function caseDice(phantom: PhantomCase, diagnosis: Diagnosis): number {
  let both = 0
  let sum = 0
  for (const { index, segmentation } of diagnosis.slices) {
    const truth = phantom.slices[index]!.lesionMask
    segmentation?.mask.forEach((found, i) => {
      both += found & truth[i]!
      sum += found + truth[i]!
    })
  }
  return sum === 0 ? 1 : (2 * both) / sum
}

/** Returns the path of the report. */
async function saveTraining(result: TrainResult, name: string, directory: string): Promise<string> {
  await result.model.save(join(directory, `${name}.safetensors`))
  const report = join(directory, `training-${name}.html`)
  const title = `Training of the demo’s ${name} on synthetic phantoms`
  await writeFileAtomically(report, trainingReport(result, { title }))
  return report
}

function describe({ network, width }: { network: string; width: number }): string {
  return `${network} at ${width} of its width`
}

class Stopwatch {
  readonly #startMs = performance.now()
  #lapMs = this.#startMs

  lap(): number {
    const nowMs = performance.now()
    const elapsedMs = nowMs - this.#lapMs
    this.#lapMs = nowMs
    return elapsedMs
  }

  total(): number {
    return performance.now() - this.#startMs
  }
}
