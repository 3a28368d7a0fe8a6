import { type Model, nativeOf, type WeightsSource, weightsOf } from '../model'
import type { ShippedModel } from '../model/shipped'
import { callNative } from '../native'

/** What a file had for one layer of the network. A layer is taken wholly or not at all: half a batch norm is none. */
export interface PretrainedLayer {
  /** The name of its parameters up to the last dot. */
  layer: string
  parameters: number
  taken: boolean
  /** Why it was drawn from the seed instead, as a clause. */
  reason?: string
}

export interface PretrainedMatch {
  /** Every layer, in the network's order. */
  layers: PretrainedLayer[]
  /** Tensors of the file that no layer took. */
  unused: string[]
}

/** Copies what `source` has into the model. @throws JcsError MISSING_PARAMETER when it has nothing */
export async function startFrom(
  model: Model,
  source: WeightsSource | ShippedModel,
): Promise<PretrainedMatch> {
  const weights = weightsOf(source, 'pretrained')
  return JSON.parse(await callNative(() => nativeOf(model).loadPretrained(weights)))
}
