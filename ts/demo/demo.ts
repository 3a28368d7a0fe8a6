import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Diagnosis, diagnose } from '../diagnose'
import { writeError } from '../errors'
import type { Model } from '../model'
import type { ProgressEvent } from '../progress'
import { diagnosisReport, trainingReport, writeFileAtomically } from '../report'
import type { RuntimeOptions } from '../runtime'
import { type TrainResult, train } from '../train'
import { generateCase, generateDataset, type PhantomCase } from './phantom'
import { Random } from './phantom/random'
import { demoPlan } from './plan'

export interface DemoOptions extends RuntimeOptions {
  /** Of the phantoms and of the training. Default 1. */
  seed?: number | undefined
  /** Where the reports go; made when missing. Default `jcs-demo-report`. */
  directory?: string | undefined
  signal?: AbortSignal | undefined
  onProgress?: ((event: ProgressEvent) => void) | undefined
  /** Told what comes next, as a sentence for people. */
  onStage?: ((sentence: string) => void) | undefined
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
  /** Paths of the reports of the two trainings. */
  reports: string[]
}

/**
 * Trains a narrow classifier and a narrow segmenter on synthetic phantoms and diagnoses phantoms that they have not
 * seen. Nothing here says anything about real patients.
 */
export async function runDemo(options: DemoOptions = {}): Promise<DemoResult> {
  const { seed = 1, directory = 'jcs-demo-report', onStage = () => {} } = options
  const { device, precision, threads, signal, onProgress } = options
  const controls = { signal, onProgress }
  const runtime = { device, precision, threads }
  await makeDirectory(directory)
  const clock = new Stopwatch()

  onStage(
    `Drawing ${demoPlan.trainCases + demoPlan.validationCases} synthetic patients (no real data is used) ...`,
  )
  const { trainSet, validationSet } = await drawDatasets(seed, signal)
  const phantomsMs = clock.lap()

  const models: Model[] = []
  try {
    onStage(
      `Training the classifier, ${describe(demoPlan.classifier.spec)}, on ${trainSet.length} slices ...`,
    )
    const classifier = await train({
      ...demoPlan.classifier,
      ...runtime,
      ...controls,
      seed,
      data: { train: trainSet, validation: validationSet },
    })
    models.push(classifier.model)
    const classifierMs = clock.lap()

    const [withLesions, withLesionsHeldOut] = [trainSet, validationSet].map((set) =>
      set.filter(({ label }) => label),
    )
    onStage(
      `Training the segmenter, ${describe(demoPlan.segmenter.spec)}, on ${withLesions!.length} slices ...`,
    )
    const segmenter = await train({
      ...demoPlan.segmenter,
      ...runtime,
      ...controls,
      seed,
      data: { train: withLesions!, validation: withLesionsHeldOut! },
    })
    models.push(segmenter.model)
    const segmenterMs = clock.lap()
    const reports = await writeTrainingReports(directory, { classifier, segmenter })

    const { caseCount, slicesPerCase, sliceThreshold } = demoPlan
    onStage(
      `Diagnosing ${caseCount} unseen cases of ${slicesPerCase} slices; a case is positive when more than ${sliceThreshold} slices are ...`,
    )
    const cases: DemoCase[] = []
    for (let index = 0; index < caseCount; index++) {
      const phantom = drawCase(seed, index)
      const slices = phantom.slices.map(({ pixels }) => pixels)
      const pair = { classifier: classifier.model, segmenter: segmenter.model }
      const diagnosis = await diagnose(pair, slices, { ...controls, sliceThreshold, explain: true })
      const name = `case ${index + 1}`
      const report = join(directory, `case-${index + 1}.html`)
      const title = `Synthetic phantom, ${name}: no patient`
      await writeFileAtomically(report, await diagnosisReport(diagnosis, slices, { title }))
      cases.push({ name, ...judge(phantom, diagnosis), report })
    }
    const diagnosisMs = clock.lap()
    return {
      seed,
      passed: cases.every(({ correct }) => correct),
      sliceThreshold,
      cases,
      classification: classifier.metrics,
      segmentation: segmenter.metrics,
      timing: { phantomsMs, classifierMs, segmenterMs, diagnosisMs, totalMs: clock.total() },
      reports,
    }
  } finally {
    for (const model of models) await model.dispose()
  }
}

/** In parts, so that a signal is heard: drawing holds the event loop. */
async function drawDatasets(seed: number, signal: AbortSignal | undefined) {
  const { trainCases, validationCases, trainingSize: size } = demoPlan
  const draw = async (purpose: string, cases: number) => {
    const samples = []
    const random = new Random(seed, 'demo', purpose)
    for (let drawn = 0; drawn < cases; drawn += casesAtATime) {
      await new Promise(setImmediate)
      signal?.throwIfAborted()
      const part = Math.min(casesAtATime, cases - drawn)
      samples.push(...generateDataset(random.uint32(), { cases: part, size }))
    }
    return samples
  }
  return {
    trainSet: await draw('train', trainCases),
    validationSet: await draw('validation', validationCases),
  }
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

async function writeTrainingReports(
  directory: string,
  results: Record<string, TrainResult>,
): Promise<string[]> {
  const paths: string[] = []
  for (const [name, result] of Object.entries(results)) {
    const path = join(directory, `training-${name}.html`)
    await writeFileAtomically(
      path,
      trainingReport(result, { title: `Training of the demo’s ${name} on synthetic phantoms` }),
    )
    paths.push(path)
  }
  return paths
}

function describe({ network, width }: { network: string; width: number }): string {
  return `${network} at ${width} of its width`
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (error) {
    throw writeError(error, path)
  }
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
