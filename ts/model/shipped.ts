import { JcsError } from '../base/errors'

/** Models that come in the package jcs-ct-models, by name; its cards say what they were trained on and how good they are. */
export type ShippedModel = (typeof shippedModels)[number]

export const shippedModels = ['lesions', 'lungs'] as const

const packageName = 'jcs-ct-models'

export function isShippedModel(source: unknown): source is ShippedModel {
  return (shippedModels as readonly unknown[]).includes(source)
}

/** Whether the package is installed. */
export function hasShippedModels(): boolean {
  return shippedModels.every((name) => find(name) !== undefined)
}

/** @throws JcsError MODELS_NOT_INSTALLED */
export function shippedModelPath(name: ShippedModel): string {
  const path = find(name)
  if (path !== undefined) return path
  throw new JcsError(
    'MODELS_NOT_INSTALLED',
    `'${name}' is a model of the package ${packageName}, which is not installed: run \`npm install ${packageName}\`, or write './${name}' for a file of that name`,
  )
}

function find(name: ShippedModel): string | undefined {
  try {
    return require.resolve(`${packageName}/${name}.safetensors`)
  } catch {
    return undefined
  }
}
