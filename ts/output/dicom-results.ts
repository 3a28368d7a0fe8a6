import { checkOptions, requireOneOf } from '../base/check'
import { JcsError } from '../base/errors'
import type { Case } from '../cases'
import type { Diagnosis } from '../run/results'
import { dicomKeyImages } from './dicom-key-images'
import { dicomReport } from './dicom-report'
import { type DicomSegmentationOptions, dicomSegmentation } from './dicom-segmentation'
import { isAnythingOutlined } from './masks'

const kinds = ['segmentation', 'report', 'key-images'] as const

export interface DicomResultsOptions {
  /** What is made. Default all. A report of its own refers to images alone. */
  kinds?: readonly (typeof kinds)[number][] | undefined
  /** How the segmentation is made. A report can refer to a binary one alone. */
  segmentation?: DicomSegmentationOptions | undefined
}

/** What of a diagnosis is filed with its study: DICOM files. */
export interface DicomResults {
  /** Absent where nothing was outlined: without a frame it would be no legal one. */
  segmentation?: Buffer
  /** Refers to the segmentation. */
  report?: Buffer
  /** None without a lesion. */
  keyImages: Buffer[]
}

/**
 * Makes the segmentation, the structured report and the key images of a diagnosis.
 *
 * @throws JcsError what `dicomSegmentation`, `dicomReport` and `dicomKeyImages` do
 */
export async function dicomResults(
  diagnosis: Diagnosis,
  scan: Case,
  options: DicomResultsOptions = {},
): Promise<DicomResults> {
  checkOptions('options', options, ['kinds', 'segmentation'])
  const { kinds: asked = kinds } = options
  if (!Array.isArray(asked)) throw new JcsError('INVALID_TYPE', 'kinds must be an array')
  for (const kind of asked) requireOneOf('kinds', kind, kinds)
  const isAsked = (kind: (typeof kinds)[number]) => asked.includes(kind)
  const segmentation =
    isAsked('segmentation') && isAnythingOutlined(diagnosis)
      ? await dicomSegmentation(diagnosis, scan, options.segmentation)
      : undefined
  const report = isAsked('report')
    ? await dicomReport(diagnosis, scan, segmentation ? { segmentation } : {})
    : undefined
  return {
    ...(segmentation && { segmentation }),
    ...(report && { report }),
    keyImages: isAsked('key-images') ? await dicomKeyImages(diagnosis, scan) : [],
  }
}

/** All of them, the report after the segmentation that it refers to. */
export function filesOf({ segmentation, report, keyImages }: DicomResults): Buffer[] {
  return [...(segmentation ? [segmentation] : []), ...(report ? [report] : []), ...keyImages]
}
