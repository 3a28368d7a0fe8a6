import { type CaseScores, type ClassificationEvaluation, evaluate } from '../evaluate'
import type { ReliabilityBin } from '../metrics'
import type { Model } from '../model'
import type { RunContext } from '../run/run'
import type { Budget } from './budget'
import { drawCases } from './phantoms'
import { publishedCases } from './published'

/** Table IV: sensitivity and specificity of cases by how many positive slices make one positive. Of phantoms. */
export interface CaseThresholds {
  experiment: 'table-4'
  title: string
  infected: number
  uninfected: number
  slicesPerCase: number
  /** What the probabilities of slices mean. */
  reliability: ReliabilityBin[]
  ece: number
  rows: (CaseScores & { published: { sensitivity: number; specificity: number } })[]
}

export async function caseThresholdsOf(
  model: Model,
  { phantomCases, slicesPerCase }: Budget,
  { signal, emit }: RunContext,
): Promise<CaseThresholds> {
  const { patients, reliability, ece } = (await evaluate(
    model,
    await drawCases(phantomCases, slicesPerCase, signal),
    {
      sliceThresholds: publishedCases.map(({ sliceThreshold }) => sliceThreshold),
      signal,
      onProgress: (event) => void emit(event),
    },
  )) as ClassificationEvaluation
  const { thresholds, infected, uninfected } = patients!
  return {
    experiment: 'table-4',
    title: 'Table IV: cases by slice threshold, synthetic phantoms',
    infected,
    uninfected,
    slicesPerCase,
    reliability,
    ece,
    rows: thresholds.map((scores, i) => {
      const { sensitivity, specificity } = publishedCases[i]!
      return { ...scores, published: { sensitivity, specificity } }
    }),
  }
}
