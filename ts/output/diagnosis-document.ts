import type { Classification, DiagnosedSlice, Diagnosis, Segmentation } from '../run/results'

/** A slice of a diagnosis without what is for files: masks, maps and probabilities of pixels. */
export interface SliceDocument extends Omit<DiagnosedSlice, 'classification' | 'segmentation' | 'lungMask'> {
  /** The name of the slice's file, with the page or frame of files of several. */
  image: string
  classification?: Omit<Classification, 'activationMap'>
  segmentation?: Omit<Segmentation, 'mask' | 'probabilities'>
}

/** A diagnosis as JSON: what `jcs diagnose` prints and writes. Its schema is docs/schema/diagnosis.schema.json. */
export interface DiagnosisDocument extends Omit<Diagnosis, 'slices'> {
  slices: SliceDocument[]
}

/** What can be said of a diagnosis in JSON. `names`: of its slices, in order, as a `Case` knows them. */
export function diagnosisDocument(diagnosis: Diagnosis, names: readonly string[]): DiagnosisDocument {
  return { ...diagnosis, slices: diagnosis.slices.map((slice) => describeSlice(slice, names)) }
}

function describeSlice(slice: DiagnosedSlice, names: readonly string[]): SliceDocument {
  const { index, positionMm, positive, classification, segmentation, lesionAreaMm2 } = slice
  return {
    image: names[index] ?? `slice ${index + 1}`,
    index,
    ...(positionMm !== undefined && { positionMm }),
    positive,
    ...(classification && { classification: describeClassification(classification) }),
    ...(segmentation && { segmentation: describeSegmentation(segmentation) }),
    ...(lesionAreaMm2 !== undefined && { lesionAreaMm2 }),
  }
}

function describeClassification({
  probability,
  positive,
}: Classification): NonNullable<SliceDocument['classification']> {
  return { probability, positive }
}

function describeSegmentation({
  width,
  height,
  lesions,
  laterality,
  areaPixels,
  areaMm2,
}: Segmentation): NonNullable<SliceDocument['segmentation']> {
  return { width, height, lesions, laterality, areaPixels, ...(areaMm2 !== undefined && { areaMm2 }) }
}
