import type { DecodedImage } from '../images'
import type { Involvement, Lesion } from '../run/results'

/** Values row by row; images and maps are NCHW. */
export interface Tensor {
  data: Float32Array
  shape: number[]
}

export interface ParameterInfo {
  name: string
  shape: number[]
  /** False for running statistics and for whatever is frozen by its network. */
  trainable: boolean
}

/** Raised from JavaScript, looked at by the work between two steps of a program. */
export interface NativeCancellation {
  cancel(): void
}

/** Structured values that are not hot cross the border as JSON text. */
type Json = string

/** How slices come to a network. */
export interface NativeBatch {
  batchSize: number
  /** What is left of more slices, after full batches. */
  isRemainder: boolean
}

/** Of one slice: every scale in every flip. Left out, the network sees it once, as it is. */
export interface NativeTestTimeAugmentation {
  horizontalFlip: boolean
  verticalFlip: boolean
  scales: readonly number[]
}

interface WithTestTimeAugmentation {
  testTimeAugmentation?: NativeTestTimeAugmentation | undefined
}

export interface NativeModel {
  /** `ModelDescription` */
  describe(): Json
  parameters(): ParameterInfo[]
  getParameter(name: string): Promise<Tensor>
  forward(input: Tensor, cancellation?: NativeCancellation): Promise<Record<string, Tensor>>
  /** Results in the order of the slices, of one store or of several. */
  classify(
    slices: readonly NativeStoredSlices[],
    options: { explain: boolean; threshold: number } & WithTestTimeAugmentation & NativeBatch,
    cancellation?: NativeCancellation,
  ): Promise<NativeClassification[]>
  segment(
    slices: readonly NativeStoredSlices[],
    options: { threshold: number; probabilities: boolean; minAreaPixels: number } & WithTestTimeAugmentation &
      NativeBatch,
    cancellation?: NativeCancellation,
  ): Promise<NativeSegmentation[]>
  /** Gives how many tensors were taken from the file, a path or its bytes. */
  loadBackbone(source: string | Uint8Array): Promise<number>
  /** `PretrainedMatch`: what was taken from the file, a path or its bytes. */
  loadPretrained(source: string | Uint8Array): Promise<Json>
  copyTrunk(classifier: NativeModel): Promise<void>
  /** `Profile` */
  profile(
    batch: number,
    height: number,
    width: number,
    alternatives: boolean,
    cancellation?: NativeCancellation,
  ): Promise<Json>
  /** `Peaks` */
  peaks(): Promise<Json>
  save(path: string, options: Json): Promise<void>
  exportOnnx(path: string, options: Json): Promise<void>
  dispose(): Promise<void>
}

export interface NativeClassification {
  probability: number
  /** Whether the probability is above `threshold`. */
  positive: boolean
  activationMap?: { data: Float32Array; width: number; height: number }
}

export interface NativeSegmentation {
  width: number
  height: number
  mask: NativeMask
  probabilities?: Float32Array
  lesions: Lesion[]
  laterality: 'patient' | 'image'
  areaPixels: number
  areaMm2?: number
}

/** One bit a pixel, until it is asked for. */
export interface NativeMask {
  /** `height * width`, row by row: 1 = inside. */
  bytes(): Uint8Array
}

/** What a store takes: a decoded slice and what is known about it. */
export interface NativeSlice extends DecodedImage {
  /** Of lesions. */
  mask?: Uint8Array
  lungs?: Uint8Array
  label?: number
  patient?: string
}

/** Decoded slices, each copied in once. Freed with the last of its uses. */
export interface NativeSliceStore {
  /** Gives the slice's index. `data` and the masks are used up: their buffers may be freed. */
  append(slice: NativeSlice): number
  /** Whether `spill` has something to move to a file. */
  readonly isOverLimit: boolean
  spill(): Promise<void>
  read(index: number): Promise<DecodedImage>
  /** Frees what slices [first, end) take; their indices stay taken. */
  release(first: number, end: number): void
  readonly size: number
}

/** Slices of a store, by index. */
export interface NativeStoredSlices {
  store: NativeSliceStore
  slices: readonly number[]
}

export interface NativeMeasurement {
  /** The lungs, without what was none. */
  lungMasks: NativeMask[]
  /** By slice, inside the lungs. */
  lesionAreasMm2: number[]
  involvement: Involvement
}

/** How a dataset is scored. */
export interface NativeScoring extends WithTestTimeAugmentation {
  /** Of the bootstrap; 0: no intervals. */
  resamples: number
  bootstrapSeed: number
  /** How many patients are drawn from, of which these are those from the first on; 0: these. */
  patients: number
  firstPatient: number
  /** Gives `draws`. */
  draws: boolean
}

export interface NativeScores {
  metrics: Record<string, number>
  /** Of the metrics that have one, [low, high]. */
  intervals: Record<string, [number, number]>
  /** Each metric, resample by resample. */
  draws?: Record<string, number[]>
}

export interface NativeCalibration {
  temperature: number
  /** The fit wanted to go beyond [0.05, 20]. */
  isAtLimit: boolean
  labelled: number
  before: { negativeLogLikelihood: number; ece: number }
  after: { negativeLogLikelihood: number; ece: number }
}

export interface NativeQuantization {
  /** `QuantizedLayer`s */
  layers: unknown[]
  changeOfAll: number
  change: number
}

export interface NativeEvaluation extends NativeScores {
  probabilities: Float32Array
  /** `ReliabilityBin`s */
  reliability: unknown[]
  /** `PatientEvaluation`, where samples name patients. */
  patients?: unknown
  /** `ExplanationEvaluation`, where samples have lesions. */
  explanation?: Record<string, number>
}

/** The options of a training run, parsed once. */
export interface NativeTrainSettings {
  /** Every setting that is used. */
  toJson(): Json
}

/** Runs a model over the samples of a dataset; events are of phase `evaluate`. */
export type OverDataset<Options extends unknown[], Result> = (
  model: NativeModel,
  data: NativeSliceStore,
  batchSize: number,
  cancellation: NativeCancellation | undefined,
  onEvent: (event: Json) => void,
  ...options: Options
) => Promise<Result>

export interface Addon {
  Cancellation: new () => NativeCancellation
  NativeSliceStore: new (memoryLimitBytes?: number) => NativeSliceStore
  createModel(spec: Json, options: Json): Promise<NativeModel>
  loadModel(source: string | Uint8Array, spec: Json | undefined, options: Json): Promise<NativeModel>
  train(
    model: NativeModel,
    train: NativeSliceStore,
    validation: NativeSliceStore | undefined,
    settings: NativeTrainSettings,
    cancellation: NativeCancellation | undefined,
    onEvent: (event: Json) => void,
    distributed: boolean,
  ): Promise<Json>
  /** The processes that train together, once all have come. MPI_UNAVAILABLE */
  joinRanks(): Promise<{ rank: number; ranks: number }>
  /** Tells the others that this one goes no further. */
  leaveRanks(reason: string): Promise<void>
  /** What `options` over a recipe come to. Throws for an option that is unusable. */
  NativeTrainSettings: new (
    task: string,
    options: Json,
    isPretrained: boolean,
    network: string,
  ) => NativeTrainSettings
  /** All options of training and the values of each recipe: `scripts/training-options.mjs` */
  describeTrainOptions(): Json
  evaluateClassifier: OverDataset<
    [options: { threshold: number; sliceThresholds: readonly number[] } & NativeScoring],
    NativeEvaluation
  >
  evaluateSegmenter: OverDataset<
    [options: NativeScoring],
    NativeScores & {
      /** `SliceScores` */
      slices: unknown[]
    }
  >
  /** Sets the model's temperature. */
  calibrate: OverDataset<[], NativeCalibration>
  /** Sets which layers the model computes in 8 bits; events are of phase `quantize`. */
  quantize: OverDataset<[options: { largestChange: number; measureSpeed?: boolean }], NativeQuantization>
  /** The paper's rule. `isPhysical`: the slice threshold came from millimetres. */
  decideCase(
    scores: Float32Array,
    scoreThreshold: number,
    sliceThreshold: number,
    isPhysical: boolean,
  ): { positive: boolean; positiveSlices: number; isPositive: boolean[]; warnings: string[] }
  /** CASE_TOO_SMALL for a case that could not be positive under the default threshold. */
  requireDecidable(slices: number, defaultSliceThreshold: number): void
  /** Of slices of `store` in the patient's order, with a mask for each. */
  measureCase(
    store: NativeSliceStore,
    slices: readonly number[],
    lungs: readonly NativeMask[],
    lesions: readonly NativeMask[],
    cancellation?: NativeCancellation,
  ): Promise<NativeMeasurement | { reason: string }>
  /**
   * Where masks are nonzero, row by row, five numbers each: the component, slice, row, and columns from and to. Components
   * hang together at a face, an edge or a corner, as the lesions of `measureCase`, and count in the order of first runs.
   */
  maskRuns(masks: readonly Uint8Array[], width: number, height: number): Int32Array
  segmentationMetrics(
    probabilities: Float32Array,
    truth: Uint8Array,
    width: number,
    height: number,
    rowSpacing?: number,
    columnSpacing?: number,
  ): Record<string, number>
  classificationMetrics(
    probabilities: Float32Array,
    labels: Uint8Array,
    threshold: number,
  ): Record<string, number>
  /** `ReliabilityBin`s */
  reliabilityDiagram(probabilities: Float32Array, labels: Uint8Array, bins: number): unknown[]
  explanationMetrics(
    map: Float32Array,
    lesions: Uint8Array,
    width: number,
    height: number,
    lungs: Uint8Array | undefined,
  ): Record<string, number>
  devices(): Json
  /** `PreparedFolder` */
  preparedFolder(): Json
  /** Where the backend of that kind of device lies when it is a package of its own. */
  setPackageFolder(kind: 'cuda', folder: string): void
  /** For the process's exit: takes no more work, cancels what is under way, and waits for it, so many seconds at most. */
  stop(longestSeconds: number): void
  networks(): Json
}
