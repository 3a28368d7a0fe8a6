import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sample } from '../datasets'
import { type Diagnosis, diagnose } from '../diagnose'
import { writeError } from '../errors'
import { evaluate } from '../evaluate'
import type { Model } from '../model'
import type { ProgressEvent } from '../progress'
import { diagnosisReport, trainingReport, writeFileAtomically } from '../report'
import type { Run } from '../run'
import { type TrainResult, train } from '../train'
import { generateCase, type PhantomCase } from './phantom'

/** A case with a single positive slice may be a false alarm; opacities of phantoms span several. */
const sliceThreshold = 3
const side = 96
const slicesPerCase = 24

export interface DemoOptions {
  /** Decides every phantom, all weights and the order of training. Default 0. */
  seed?: number
  directory: string
  /** Follows a run and gives its result. */
  follow<T>(
    start: (controls: { signal: AbortSignal; onProgress(event: ProgressEvent): void }) => Run<T>,
  ): Promise<T>
  say(text: string): void
}

export interface DemoCase {
  seed: number
  infected: boolean
  diagnosis: Diagnosis
}

export interface DemoResult {
  cases: DemoCase[]
  /** Of cases that were not trained on. */
  correctCases: number
  sliceAccuracy: number
  auc: number
  dice: number
  reports: string[]
}

/** Trains two narrow networks on synthetic scans and diagnoses others. Everything in it is synthetic. */
export async function runDemo({ seed = 0, directory, follow, say }: DemoOptions): Promise<DemoResult> {
  try {
    await mkdir(directory, { recursive: true })
  } catch (error) {
    throw writeError(error, directory)
  }
  say('Generating synthetic chest-CT phantoms: no patient is involved, and no clinical claim follows.')
  const base = 1000 * (seed + 1)
  const trainingCases = generateCases(base, 14)
  const unseenCases = generateCases(base + 500, 4)
  const samples = trainingCases.flatMap(toSamples)
  const unseen = unseenCases.flatMap(toSamples)

  say(`\nTraining a narrow classifier on ${samples.length} slices`)
  const classifier = await follow((controls) =>
    train({
      task: 'classification',
      spec: { network: 'res2net50-v1b', width: 0.125 },
      recipe: 'scratch',
      data: { train: samples },
      inputSize: side,
      epochs: 12,
      seed,
      ...controls,
    }),
  )
  await using classifierModel = classifier.model
  await save(classifier, 'classifier', directory)

  const infected = samples.filter(({ label }) => label === 1)
  say(`\nTraining a narrow segmentation network on ${infected.length} infected slices`)
  const segmenter = await follow((controls) =>
    train({
      task: 'segmentation',
      spec: { network: 'jcs-segmentation', width: 0.125 },
      recipe: 'scratch',
      data: { train: infected },
      inputSize: side,
      epochs: 12,
      seed,
      ...controls,
    }),
  )
  await using segmenterModel = segmenter.model
  await save(segmenter, 'segmenter', directory)

  say(`\nDiagnosing ${unseenCases.length} cases that neither network has seen`)
  const { sliceAccuracy, auc, dice } = await score(classifierModel, segmenterModel, unseen, follow)
  const cases: DemoCase[] = []
  const reports = ['classifier.html', 'segmenter.html'].map((name) => join(directory, name))
  for (const phantom of unseenCases) {
    const slices = phantom.slices.map(({ pixels }) => pixels)
    const diagnosis = await follow((controls) =>
      diagnose({ classifier: classifierModel, segmenter: segmenterModel }, slices, {
        sliceThreshold,
        explain: true,
        ...controls,
      }),
    )
    const path = join(directory, `case-${phantom.seed}-${phantom.infected ? 'infected' : 'uninfected'}.html`)
    const title = `Synthetic case ${phantom.seed}, ${phantom.infected ? 'infected' : 'uninfected'}`
    await writeFileAtomically(path, await diagnosisReport(diagnosis, slices, { title }))
    reports.push(path)
    cases.push({ seed: phantom.seed, infected: phantom.infected, diagnosis })
  }
  const correctCases = cases.filter((entry) => entry.infected === entry.diagnosis.positive).length
  return { cases, correctCases, sliceAccuracy, auc, dice, reports }
}

/** An infected and an uninfected case by turns, each of its own anatomy. */
function generateCases(firstSeed: number, count: number): PhantomCase[] {
  return Array.from({ length: count }, (_, index) =>
    generateCase(firstSeed + index, { infected: index % 2 === 0, slices: slicesPerCase, size: side }),
  )
}

function toSamples(phantom: PhantomCase): Sample[] {
  return phantom.slices.map(({ pixels, lesionMask, infected }) => ({
    image: pixels,
    label: infected ? 1 : 0,
    mask: { data: lesionMask, width: pixels.width, height: pixels.height },
    patient: String(phantom.seed),
  }))
}

async function save(result: TrainResult, name: string, directory: string): Promise<void> {
  await result.model.save(join(directory, `${name}.safetensors`))
  const title = `Demo: training of the ${name} on synthetic phantoms`
  await writeFileAtomically(join(directory, `${name}.html`), trainingReport(result, { title }))
}

async function score(classifier: Model, segmenter: Model, samples: Sample[], follow: DemoOptions['follow']) {
  const classified = await follow((controls) => evaluate(classifier, samples, controls))
  const infected = samples.filter(({ label }) => label === 1)
  const segmented = await follow((controls) => evaluate(segmenter, infected, controls))
  if (classified.task !== 'classification' || segmented.task !== 'segmentation')
    throw new Error('unreachable')
  return { sliceAccuracy: classified.accuracy, auc: classified.auc, dice: segmented.dice }
}
