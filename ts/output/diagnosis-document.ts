import { withoutArrays } from '../base/without-arrays'
import type { Classification, DiagnosedSlice, Diagnosis, Segmentation, StoredInstance } from '../run/results'

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
  /** Of a study in an archive, of results that were to be stored there. */
  stored?: StoredInstance[]
}

/** What can be said of a diagnosis in JSON. `names`: of its slices, in order, as a `Case` knows them. */
export function diagnosisDocument(diagnosis: Diagnosis, names: readonly string[]): DiagnosisDocument {
  const plain = withoutArrays(diagnosis) as Omit<DiagnosisDocument, 'slices'> & {
    slices: Omit<SliceDocument, 'image'>[]
  }
  const nameOf = (index: number) => names[index] ?? `slice ${index + 1}`
  return { ...plain, slices: plain.slices.map((slice) => ({ image: nameOf(slice.index), ...slice })) }
}
