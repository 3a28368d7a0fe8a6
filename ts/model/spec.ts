import {
  requireBoolean,
  requireKnown,
  requireNumber,
  requireObject,
  requireOneOf,
  requireString,
  requireWhole,
} from '../base/check'
import { callNativeNow } from '../native'

/** Classifiers with two classes and activation maps. */
export type ClassifierNetwork = 'res2net50-v1b' | 'res2net101-v1b'

export type SegmenterNetwork = 'jcs-segmentation' | 'jcs-joint' | 'unet' | 'dss' | 'poolnet' | 'egnet'

/**
 * - `res2net50-v1b`, `res2net101-v1b`: classifiers (section III-A of the paper).
 * - `jcs-segmentation`: VGG-16 encoder, enhanced feature module, attentive feature fusion (figure 2).
 * - `jcs-joint`: the same, with the features of a classifier (figure 4).
 * - `unet`, `dss`, `poolnet`, `egnet`: the paper's comparators, as their public implementations have them; the last two
 *   with ResNet-50.
 */
export type Network = ClassifierNetwork | SegmenterNetwork

/** Everything that decides a network's parameters and what it computes. Saved with every model. */
export interface ModelSpec {
  network: Network
  /** Where the paper and the authors' code differ. Default `paper`. */
  variant?: 'paper' | 'authors' | undefined
  /** Multiplies every channel count, in (0, 4]; 1, the default, is the published network. */
  width?: number | undefined
  /** Enhanced feature module, table V. Default true. */
  efm?: boolean | undefined
  /** Attentive feature fusion, table V. Default true. */
  aff?: boolean | undefined
  /** Of `jcs-joint`: the classifier whose features are combined. Default `res2net101-v1b`. */
  trunk?: ClassifierNetwork | undefined
  /**
   * Of classifiers and of the trunk of `jcs-joint`: how many pixels of the input are one of the last features, 32 (the
   * published network), 16 or 8. Below 32 the last stages dilate instead of striding: the same parameters, activation
   * maps two or four times as fine on each side, and more time. A file's weights belong to the one it was trained with.
   */
  outputStride?: 8 | 16 | 32 | undefined
  /**
   * Epsilon of the batch norms of the VGG and Res2Net trunks, 0 to 0.01. The authors' checkpoints need 0, the default
   * of `authors`; everything else is 1e-5.
   */
  trunkEpsilon?: number | undefined
  /** Of `jcs-joint`: that of the classifier's trunk, where it came from another file. Default `trunkEpsilon`. */
  classifierEpsilon?: number | undefined
}

const fields: Record<keyof ModelSpec, (name: string, value: unknown) => void> = {
  network: requireString, // which ones there are is the native side's to say
  variant: (name, value) => requireOneOf(name, value, ['paper', 'authors']),
  width: (name, value) => requireNumber(name, value, 0, 4),
  efm: requireBoolean,
  aff: requireBoolean,
  trunk: (name, value) => requireOneOf(name, value, ['res2net50-v1b', 'res2net101-v1b']),
  outputStride: (name, value) => requireWhole(name, value, 1), // likewise
  trunkEpsilon: (name, value) => requireNumber(name, value, 0, 0.01),
  classifierEpsilon: (name, value) => requireNumber(name, value, 0, 0.01),
}

/** The spec as the native side takes it. What the network itself settles is checked there. */
export function specToJson(spec: ModelSpec): string {
  requireObject('spec', spec)
  requireKnown('spec', spec, Object.keys(fields))
  for (const [name, check] of Object.entries(fields)) {
    const value = (spec as unknown as Record<string, unknown>)[name]
    if (value !== undefined || name === 'network') check(`spec.${name}`, value)
  }
  return JSON.stringify(spec)
}

/** Whether a network takes the features of a trained classifier (figure 4). */
export function combinesClassifier(network: Network): boolean {
  const all: { name: string; combinesClassifier: boolean }[] = JSON.parse(
    callNativeNow((native) => native.networks()),
  )
  return all.some((info) => info.name === network && info.combinesClassifier)
}
