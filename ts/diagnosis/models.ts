import { checkOptions } from '../base/check'
import type { Classifier } from '../inference/classification'
import type { Segmenter } from '../inference/segmentation'
import { type Model, nativeFor } from '../model'
import type { DiagnosisModel } from '../run/results'

export interface DiagnosisModels {
  /** Decides which slices are positive. Without it the area of their lesions does. */
  classifier?: Model | undefined
  segmenter: Model
  /** Finds the lungs, for `involvement`. */
  lungs?: Model | undefined
}

/** What sees the slices for each of them. */
export interface DiagnosisNetworks {
  classifier?: Classifier | undefined
  segmenter: Segmenter
  lungs?: Segmenter | undefined
}

export const roles = ['classifier', 'segmenter', 'lungs'] as const

/** @throws JcsError INVALID_TYPE, INVALID_ARGUMENT for a model of another task, DISPOSED */
export function takeModels(models: DiagnosisModels): DiagnosisNetworks {
  checkOptions('models', models, roles)
  const { classifier, segmenter, lungs } = models
  return {
    classifier: classifier && nativeFor('classification', classifier, 'models.classifier'),
    segmenter: nativeFor('segmentation', segmenter, 'models.segmenter'),
    lungs: lungs && nativeFor('segmentation', lungs, 'models.lungs'),
  }
}

/** What a result says of the models that it was made with. */
export function describeModels(models: DiagnosisModels): Promise<DiagnosisModel[]> {
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
export function noticesOf(models: DiagnosisModels): string[] {
  return [...new Set(roles.flatMap((role) => models[role]?.notice ?? []))]
}
