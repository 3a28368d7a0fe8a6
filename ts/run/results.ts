import type { Series } from '../images'

// The tags below are of JSON Schema: `npm run diagnosis-schema` hands them on to docs/schema/diagnosis.schema.json.

/**
 * How many, or which: a whole number.
 *
 * @asType integer
 * @minimum 0
 */
export type Count = number

/**
 * From 0 to 1.
 *
 * @minimum 0
 * @maximum 1
 */
export type Probability = number

/**
 * From 0 to 100.
 *
 * @minimum 0
 * @maximum 100
 */
export type Percent = number

/**
 * An area, a volume or a duration, in the unit that the name says.
 *
 * @minimum 0
 */
export type Amount = number

/** The class activation map of one slice, row by row, in the source's coordinates; values in [0, 1]. */
export interface ActivationMap {
  data: Float32Array
  width: number
  height: number
}

export interface Classification {
  /** Probability that the slice is infected, in [0, 1]. */
  probability: Probability
  positive: boolean
  /** Equations (1) and (2) of the paper; present when `explain` was asked for. */
  activationMap?: ActivationMap
}

/** One 8-connected component of the lesion mask, with the fields of figure 6 of the paper. Pixels of the source. */
export interface Lesion {
  areaPixels: Count
  /** Only when the source tells its pixel spacing. */
  areaMm2?: Amount
  /** Centre of the bounding box. */
  x0: number
  y0: number
  /** Size of the bounding box. */
  width: number
  height: number
  /** The half that the centre lies in. Whose left 'left' is, is said by `laterality`. */
  position: { x: 'left' | 'right'; y: 'up' | 'down' }
}

export interface Segmentation {
  width: Count
  height: Count
  /** `height * width`, row by row: 1 = lesion. Of what `segment` gives it is made, and kept, when it is first read. */
  mask: Uint8Array
  /** `height * width`, row by row, in [0, 1]; present when `probabilities` was asked for. */
  probabilities?: Float32Array
  lesions: Lesion[]
  /** Whose left and right lesions' positions name: the patient's where the source tells its orientation, as DICOM does. */
  laterality: 'patient' | 'image'
  areaPixels: Count
  /** Only when the source tells its pixel spacing. */
  areaMm2?: Amount
}

/** How much of a part of the lungs is lesion. */
export interface LungPart {
  lungVolumeMl: Amount
  /** Of the lesions inside the lungs. */
  lesionVolumeMl: Amount
  /** Lesion of lung, 0 to 100; 0 where there is no lung. */
  percent: Percent
}

/** A lesion across slices: what of the lesion masks inside the lungs hangs together, at corners too. */
export interface VolumeLesion {
  volumeMl: Amount
  /** Mean value in Hounsfield units; only of DICOM, NIfTI and signed pixels. */
  meanHu?: number
  /** Indices of slices. */
  firstSlice: Count
  lastSlice: Count
  /** Centre of mass, pixels of a slice. */
  centroidX: number
  centroidY: number
  side: 'left' | 'right'
  third: 'upper' | 'middle' | 'lower'
}

/**
 * Lesions measured against the lungs. Left and right are the patient's. Slices count with half the way to their
 * neighbours, along the normal. Thirds are of the height over which slices show lung; a slice belongs to the third that
 * its centre lies in. Lesions outside the lungs are in `lesionOutsideLungsMl` alone.
 */
export interface Involvement extends LungPart {
  /** The patient's right lung first. */
  sides: (LungPart & { side: 'left' | 'right' })[]
  regions: (LungPart & { side: 'left' | 'right'; third: 'upper' | 'middle' | 'lower' })[]
  lesionOutsideLungsMl: Amount
  /**
   * The six-zone CT score, 0 to 24: for the upper, middle and lower zone of each lung 0 below 1 %, 1 below 25 %,
   * 2 below 50 %, 3 below 75 %, else 4 (Yuan et al., PLoS ONE 15(3): e0230548, 2020). Zones are thirds of the height
   * here, where radiologists take carina and inferior pulmonary vein.
   *
   * @asType integer
   * @minimum 0
   * @maximum 24
   */
  severityScore: number
  /** Largest first. */
  lesions: VolumeLesion[]
}

export interface DiagnosedSlice {
  /** From 0, in the order of the case. */
  index: Count
  /** Height along the normal of the slices, towards the head, mm; where the source tells it. Of use as a difference. */
  positionMm?: number
  /** By the classifier or, without one, by the area of its lesions. */
  positive: boolean
  /** Absent without a classifier. */
  classification?: Classification
  /**
   * Of every slice of a positive case, also of those that the classifier took for uninfected; and of every slice where
   * no classifier or a lung model was given.
   */
  segmentation?: Segmentation
  /** Of its lesions; inside the lungs where there is a lung model. Only when the source tells its pixel spacing. */
  lesionAreaMm2?: Amount
  /** `height * width`, row by row: 1 = lung. Where `involvement` is measured; made, and kept, when it is first read. */
  lungMask?: Uint8Array
}

/** A network that a diagnosis was made with. */
export interface DiagnosisModel {
  role: 'classifier' | 'segmenter' | 'lungs'
  network: string
  /** Of its file, as hexadecimal digits. */
  sha256?: string
  /** Through which it saw values in HU, unless another was asked for. */
  window: { center: number; width: number }
}

export interface Diagnosis {
  positive: boolean
  /**
   * What made slices positive: `classifier`, the paper's joint diagnosis, or `lesion-area`, no classifier at all: the
   * area of what the segmenter outlined.
   */
  basis: 'classifier' | 'lesion-area'
  positiveSlices: Count
  totalSlices: Count
  /** The case is positive with more positive slices than this. */
  sliceThreshold: Count
  /** What `sliceThreshold` was given as, if in millimetres. */
  sliceThresholdMm?: Amount
  /** With basis `lesion-area`: a slice is positive above it. */
  minLesionAreaMm2?: Amount
  /** With a lung model, of slices that tell their spacing and place; else `warnings` say why not. */
  involvement?: Involvement
  slices: DiagnosedSlice[]
  /** What the case was made of, and what of the files given was left out; of DICOM and NIfTI. */
  series?: Series
  /** Whose left and right lesions' positions name. */
  laterality: 'patient' | 'image'
  /**
   * What each part took, from its first slice to its last. Decoding and classifying overlap, so the parts may add up to
   * more than `totalMs`.
   */
  timing: {
    decodeMs: Amount
    classifyMs: Amount
    /** Of the lung model. */
    lungsMs: Amount
    segmentMs: Amount
    measureMs: Amount
    totalMs: Amount
  }
  /** What makes the result less certain, as full sentences. */
  warnings: string[]
  models: DiagnosisModel[]
  /** Of this library. */
  version: string
  /** What the models' makers want to be said, such as terms of use; full sentences. */
  notices: string[]
  disclaimer: string
}

/** What became of a DICOM instance that was to be stored in an archive. */
export interface StoredInstance {
  sopClassUid: string
  instanceUid: string
  /** Whether the archive lists it afterwards. */
  stored: boolean
  /** Why not, as a full sentence. */
  reason?: string
}

/** What became of a lesion between two diagnoses, of one that split or of several that grew together as a whole. */
export interface LesionChange {
  change: 'new' | 'grown' | 'unchanged' | 'shrunk' | 'vanished'
  volumeBeforeMl: Amount
  volumeAfterMl: Amount
  /** Indices into `before.lesions` and `after.lesions` of the comparison. */
  before: Count[]
  after: Count[]
  /** Where it lies now, or lay. */
  side: 'left' | 'right'
  third: 'upper' | 'middle' | 'lower'
  /** A slice of each case in which it lies, or would lie: where both have it, at the same height as far as may be. */
  sliceBefore: Count
  sliceAfter: Count
}

/** Two diagnoses of one patient, then and now. */
export interface Comparison {
  before: Involvement
  after: Involvement
  /** Largest first. */
  lesions: LesionChange[]
  /** What makes it less certain, as full sentences. */
  warnings: string[]
  /** Of this library. */
  version: string
  /** What the models' makers want to be said, such as terms of use; full sentences. */
  notices: string[]
  disclaimer: string
}
