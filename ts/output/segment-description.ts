import { version } from '../base/version'
import { derivedUid } from '../dicom'
import type { DiagnosisModel } from '../run/results'
import { cieLab, type Rgb } from './cielab'
import type { Outlined } from './masks'
import type { Segment } from './segments'

/** A code with its scheme, as an item of a sequence (PS3.3, 8.8). */
export function code(value: string, scheme: 'SCT' | 'DCM', meaning: string) {
  return { CodeValue: value, CodingSchemeDesignator: scheme, CodeMeaning: meaning }
}

const lung = code('39607008', 'SCT', 'Lung')

/**
 * What is outlined, in SNOMED CT (PS3.16, CID 7150 and 7159). Lesions are 'Lesion', a morphologically abnormal structure,
 * which the category asks for: 'Pulmonary infiltrate' and 'opacity' are findings of a radiologist, which a network that
 * outlines ground glass and consolidation alike does not make.
 */
const properties: Record<Outlined, object> = {
  lungs: {
    SegmentedPropertyCategoryCodeSequence: [code('123037004', 'SCT', 'Anatomical Structure')],
    SegmentedPropertyTypeCodeSequence: [
      { ...lung, SegmentedPropertyTypeModifierCodeSequence: [code('51440002', 'SCT', 'Right and left')] },
    ],
  },
  lesions: {
    AnatomicRegionSequence: [lung],
    SegmentedPropertyCategoryCodeSequence: [code('49755003', 'SCT', 'Morphologically Abnormal Structure')],
    SegmentedPropertyTypeCodeSequence: [code('52988006', 'SCT', 'Lesion')],
  },
}

const lungColor: Rgb = [86, 180, 233]
/** The report's orange first; then the others of the Okabe-Ito palette, which colour-blind readers tell apart. */
const lesionColors: readonly Rgb[] = [
  [255, 140, 26],
  [240, 228, 66],
  [204, 121, 167],
  [0, 158, 115],
  [213, 94, 0],
  [0, 114, 178],
]

const roles: Record<Outlined, DiagnosisModel['role']> = { lungs: 'lungs', lesions: 'segmenter' }

/** Items of SegmentSequence (PS3.3, C.8.20.4), numbered from 1. `instanceUid`: of the segmentation they are in. */
export function describeSegments(
  segments: readonly Segment[],
  models: readonly DiagnosisModel[],
  instanceUid: string,
): object[] {
  let lesions = 0
  return segments.map(({ kind, label }, index) => {
    const model = models.find(({ role }) => role === roles[kind])
    const name = `jcs-ct ${model?.network ?? kind}`
    const color = kind === 'lungs' ? lungColor : lesionColors[lesions++ % lesionColors.length]!
    return {
      SegmentNumber: index + 1,
      SegmentLabel: label,
      SegmentDescription: `${label}; research use, not a medical device`,
      SegmentAlgorithmType: 'AUTOMATIC',
      SegmentAlgorithmName: name,
      SegmentationAlgorithmIdentificationSequence: [
        {
          AlgorithmFamilyCodeSequence: [code('123110', 'DCM', 'Artificial Intelligence')],
          AlgorithmName: name,
          AlgorithmVersion: version,
          ...(model?.sha256 && { AlgorithmParameters: `SHA-256 of the model file: ${model.sha256}` }),
        },
      ],
      RecommendedDisplayCIELabValue: cieLab(color),
      TrackingID: label,
      TrackingUID: derivedUid('segment', instanceUid, `${index + 1}`),
      ...properties[kind],
    }
  })
}
