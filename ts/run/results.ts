import type { Series } from '../images'

/** The class activation map of one slice, row by row, in the source's coordinates; values in [0, 1]. */
export interface ActivationMap {
  data: Float32Array
  width: number
  height: number
}

export interface Classification {
  /** Probability that the slice is infected, in [0, 1]. */
  probability: number
  positive: boolean
  /** Equations (1) and (2) of the paper; present when `explain` was asked for. */
  activationMap?: ActivationMap
}

/** One 8-connected component of the lesion mask, with the fields of figure 6 of the paper. Pixels of the source. */
export interface Lesion {
  areaPixels: number
  /** Only when the source tells its pixel spacing. */
  areaMm2?: number
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
  width: number
  height: number
  /** `height * width`, row by row: 1 = lesion. Of what `segment` gives it is made, and kept, when it is first read. */
  mask: Uint8Array
  /** `height * width`, row by row, in [0, 1]; present when `probabilities` was asked for. */
  probabilities?: Float32Array
  lesions: Lesion[]
  /** Whose left and right lesions' positions name: the patient's where the source tells its orientation, as DICOM does. */
  laterality: 'patient' | 'image'
  areaPixels: number
  /** Only when the source tells its pixel spacing. */
  areaMm2?: number
}

export interface DiagnosedSlice {
  /** From 0, in the order of the case. */
  index: number
  /** Height along the normal of the slices, towards the head, mm; where the source tells it. Of use as a difference. */
  positionMm?: number
  classification: Classification
  /** Only of positive cases, and then of every slice, also of those that the classifier took for uninfected. */
  segmentation?: Segmentation
}

export interface Diagnosis {
  positive: boolean
  positiveSlices: number
  totalSlices: number
  sliceThreshold: number
  slices: DiagnosedSlice[]
  /** What the case was made of, and what of the files given was left out; of DICOM and NIfTI. */
  series?: Series
  /** Whose left and right lesions' positions name. */
  laterality: 'patient' | 'image'
  /**
   * What each part took, from its first slice to its last. Decoding and classifying overlap, so the parts may add up to
   * more than `totalMs`.
   */
  timing: { decodeMs: number; classifyMs: number; segmentMs: number; totalMs: number }
  /** What makes the result less certain, as full sentences. */
  warnings: string[]
  disclaimer: string
}
