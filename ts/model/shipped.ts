import { JcsError } from '../base/errors'

/** Models that come in the package jcs-ct-models, by name; its cards say what they were trained on and how good they are. */
export type ShippedModel = (typeof shippedModels)[number]

export const shippedModels = ['lesions', 'lungs'] as const

const packageName = 'jcs-ct-models'

export function isShippedModel(source: unknown): source is ShippedModel {
  return (shippedModels as readonly unknown[]).includes(source)
}

/** @throws JcsError MODELS_NOT_INSTALLED */
export function shippedModelPath(name: ShippedModel): string {
  try {
    return require.resolve(`${packageName}/${name}.safetensors`)
  } catch (error) {
    throw new JcsError(
      'MODELS_NOT_INSTALLED',
      `'${name}' is a model of the package ${packageName}, which is not installed: run \`npm install ${packageName}\`, or write './${name}' for a file of that name`,
      { cause: error },
    )
  }
}
