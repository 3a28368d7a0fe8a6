import type { Classification, Segmentation } from './results'

interface ProgressCounters {
  /** Events without a `kind` only inform: a newer one of the same phase replaces one that nobody has read yet. */
  kind?: 'progress'
  /** What of this phase is finished. */
  done: number
  /** How much this phase has to do; absent while unknown, as for an iterable of unknown length. */
  total?: number
  /** Estimated time until this run is finished, ms. */
  etaMs?: number
  samplesPerSecond?: number
}

/** Fetching a series from a PACS; counts instances. */
export interface FetchProgress extends ProgressCounters {
  phase: 'fetch'
}

/** Storing results in a PACS; counts instances. */
export interface StoreProgress extends ProgressCounters {
  phase: 'store'
}

/** Reading and decoding images; counts slices or samples. */
export interface DecodeProgress extends ProgressCounters {
  phase: 'decode'
}

/** Preparing the programs of a network for a device, before the first batch. */
export interface CompileProgress extends ProgressCounters {
  phase: 'compile'
}

export interface ClassifyProgress extends ProgressCounters {
  phase: 'classify'
}

export interface SegmentProgress extends ProgressCounters {
  phase: 'segment'
}

/** Finding the lungs; counts slices. */
export interface LungsProgress extends ProgressCounters {
  phase: 'lungs'
}

/** After an optimiser step; `done` and `total` count the iterations of the whole run. */
export interface TrainProgress extends ProgressCounters {
  phase: 'train'
  /** From 1. */
  epoch: number
  epochs: number
  /** From 1, over the whole run. */
  iteration: number
  iterations: number
  /** The sum that is differentiated. */
  loss: number
  /** Its terms by name, weighted as they enter the sum. */
  losses: Record<string, number>
  learningRate: number
}

/** While the validation samples run, and once more with `metrics` when they are through. */
export interface ValidateProgress extends ProgressCounters {
  phase: 'validate'
  epoch: number
  epochs: number
  iteration: number
  metrics?: Record<string, number>
}

/** A checkpoint was written. */
export interface CheckpointProgress extends ProgressCounters {
  phase: 'checkpoint'
  epoch: number
  iteration: number
  path: string
}

export interface EvaluateProgress extends ProgressCounters {
  phase: 'evaluate'
  metrics?: Record<string, number>
}

/** Trials of 8-bit layers; counts slices through the network. `total` grows where layers have to be tried one by one. */
export interface QuantizeProgress extends ProgressCounters {
  phase: 'quantize'
}

/** Before and after each training of a cross-validation, which are counted; `etaMs` is of them all. */
export interface CrossValidateProgress extends ProgressCounters {
  phase: 'cross-validate'
  fold: string
  seed: number
  /** Of what was held out, once its training is through. */
  metrics?: Record<string, number>
}

/** Before and after each training of a reproduction, all of which are counted; `etaMs` is of them all. */
export interface ReproduceProgress extends ProgressCounters {
  phase: 'reproduce'
  /** As the paper's tables have it. */
  network: string
  fold: string
  seed: number
  /** Of what was held out, once its training is through. */
  metrics?: Record<string, number>
}

interface SliceEvent {
  /** Events of kind 'slice' carry a result: none is ever dropped, and they come in the order of the slices. */
  kind: 'slice'
  /** Position of the slice in its case or input, from 0. */
  index: number
  done: number
  total?: number
}

export interface SliceClassified extends SliceEvent {
  phase: 'classify'
  classification: Classification
}

export interface SliceSegmented extends SliceEvent {
  phase: 'segment'
  segmentation: Segmentation
}

/** What a Run reports while it works: told apart by `phase`, and slice results by `kind: 'slice'`. */
export type ProgressEvent =
  | FetchProgress
  | DecodeProgress
  | CompileProgress
  | ClassifyProgress
  | SegmentProgress
  | LungsProgress
  | TrainProgress
  | ValidateProgress
  | CheckpointProgress
  | EvaluateProgress
  | QuantizeProgress
  | CrossValidateProgress
  | ReproduceProgress
  | StoreProgress
  | SliceClassified
  | SliceSegmented
