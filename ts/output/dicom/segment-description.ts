import { version } from '../../base/version'
import { derivedUid } from '../../dicom'
import type { Rgb } from '../../report/colormap'
import { lesionColor, lungColor } from '../../report/overlay'
import type { DiagnosisModel } from '../../run/results'
import type { Outlined } from '../masks'
import { cieLab } from './cielab'
import { code, lesion, lung, sides } from './codes'
import type { Segment } from './segments'

/**
 * What is outlined, in SNOMED CT (PS3.16, CID 7150 and 7159). Lesions are 'Lesion', a morphologically abnormal structure,
 * which the category asks for: 'Pulmonary infiltrate' and 'opacity' are findings of a radiologist, which a network that
 * outlines ground glass and consolidation alike does not make.
 */
const properties: Record<Outlined, object> = {
  lungs: {
    SegmentedPropertyCategoryCodeSequence: [code('123037004', 'SCT', 'Anatomical Structure')],
    SegmentedPropertyTypeCodeSequence: [{ ...lung, SegmentedPropertyTypeModifierCodeSequence: [sides.both] }],
  },
  lesions: {
    AnatomicRegionSequence: [lung],
    SegmentedPropertyCategoryCodeSequence: [code('49755003', 'SCT', 'Morphologically Abnormal Structure')],
    SegmentedPropertyTypeCodeSequence: [lesion],
  },
}

/** The report's orange first; then the others of the Okabe-Ito palette, which colour-blind readers tell apart. */
const lesionColors: readonly Rgb[] = [
  lesionColor,
  [240, 228, 66],
  [204, 121, 167],
  [0, 158, 115],
  [213, 94, 0],
  [0, 114, 178],
]

const roles: Record<Outlined, DiagnosisModel['role']> = { lungs: 'lungs', lesions: 'segmenter' }

/** What outlined it. */
export function algorithmOf(
  kind: Outlined,
  models: readonly DiagnosisModel[],
): { name: string; model: DiagnosisModel | undefined } {
  const model = models.find(({ role }) => role === roles[kind])
  return { name: `jcs-ct ${model?.network ?? kind}`, model }
}

export function hashText(sha256: string): string {
  return `SHA-256 of the model file: ${sha256}`
}

/** Of segment `number`, from 1, of a segmentation. */
export function trackingUidOf(instanceUid: string, number: number): string {
  return derivedUid('segment', instanceUid, `${number}`)
}

/** Items of SegmentSequence (PS3.3, C.8.20.4), numbered from 1. `instanceUid`: of the segmentation they are in. */
export function describeSegments(
  segments: readonly Segment[],
  models: readonly DiagnosisModel[],
  instanceUid: string,
): object[] {
  let lesions = 0
  return segments.map(({ kind, label }, index) => {
    const { name, model } = algorithmOf(kind, models)
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
          ...(model?.sha256 && { AlgorithmParameters: hashText(model.sha256) }),
        },
      ],
      RecommendedDisplayCIELabValue: cieLab(color),
      TrackingID: label,
      TrackingUID: trackingUidOf(instanceUid, index + 1),
      ...properties[kind],
    }
  })
}
