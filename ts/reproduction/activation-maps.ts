import { classify } from '../classify'
import { type ClassificationEvaluation, type ExplanationEvaluation, evaluate } from '../evaluate'
import type { Model } from '../model'
import type { PhantomSample } from '../phantom'
import { type SlicePictures, slicePictures } from '../report/slice-pictures'
import type { RunContext } from '../run/run'
import { type ClassifierKey, classifierTrainings } from './classifiers'

/** Figure 9: whether the activation maps of differently trained classifiers point at the lesions. Of phantoms. */
export interface ActivationMaps {
  experiment: 'figure-9'
  title: string
  rows: ExplainedClassifier[]
}

export interface ExplainedClassifier {
  training: ClassifierKey
  name: string
  /** Of slices. */
  auc: number
  /** 95 % over patients. */
  intervals: Record<string, [low: number, high: number]>
  explanation: ExplanationEvaluation
}

/** Synthetic patients whose slices are explained. */
export const explainedPatients = 60

const picturesShown = 4
const pictureSide = 192

/** One of its rows, and how the first infected slices look to the classifier. */
export async function explainedClassifier(
  training: ClassifierKey,
  model: Model,
  samples: readonly PhantomSample[],
  { signal, emit }: RunContext,
): Promise<{ row: ExplainedClassifier; pictures: SlicePictures[] }> {
  const onProgress = (event: Parameters<typeof emit>[0]) => void emit(event)
  const { auc, intervals, explanation } = (await evaluate(model, samples, {
    signal,
    onProgress,
  })) as ClassificationEvaluation
  const shown = samples.filter(({ label }) => label === 1).slice(0, picturesShown)
  const classifications = await classify(
    model,
    shown.map(({ image }) => image),
    { explain: true, signal },
  )
  return {
    row: { training, name: classifierTrainings[training].name, auc, intervals, explanation: explanation! },
    pictures: await Promise.all(
      shown.map(({ image, mask }, i) => {
        const lesions = { data: mask.data, width: mask.width, height: mask.height }
        return slicePictures(
          image,
          { activationMap: classifications[i]!.activationMap, lesions },
          pictureSide,
        )
      }),
    ),
  }
}
