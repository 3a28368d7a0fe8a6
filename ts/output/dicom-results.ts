import type { Case } from '../cases'
import type { Diagnosis } from '../run/results'
import { dicomKeyImages } from './dicom-key-images'
import { dicomReport } from './dicom-report'
import { dicomSegmentation } from './dicom-segmentation'
import { isAnythingOutlined } from './masks'

/** All of a diagnosis that is filed with its study: DICOM files. */
export interface DicomResults {
  /** Absent where nothing was outlined: without a frame it would be no legal one. */
  segmentation?: Buffer
  report: Buffer
  /** None without a lesion. */
  keyImages: Buffer[]
}

/**
 * Makes the segmentation, the structured report, which refers to it, and the key images of a diagnosis.
 *
 * @throws JcsError what `dicomSegmentation`, `dicomReport` and `dicomKeyImages` do
 */
export async function dicomResults(diagnosis: Diagnosis, scan: Case): Promise<DicomResults> {
  const segmentation = isAnythingOutlined(diagnosis) ? await dicomSegmentation(diagnosis, scan) : undefined
  return {
    ...(segmentation && { segmentation }),
    report: await dicomReport(diagnosis, scan, segmentation ? { segmentation } : {}),
    keyImages: await dicomKeyImages(diagnosis, scan),
  }
}

/** All of them, the report after the segmentation that it refers to. */
export function filesOf({ segmentation, report, keyImages }: DicomResults): Buffer[] {
  return [...(segmentation ? [segmentation] : []), report, ...keyImages]
}
