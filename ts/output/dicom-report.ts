import { checkOptions } from '../base/check'
import { JcsError } from '../base/errors'
import type { Case } from '../cases'
import { writeDicom } from '../dicom'
import type { Diagnosis } from '../run/results'
import { ownSchemeIdentification } from './dicom/codes'
import { referencedSeriesOf } from './dicom/functional-groups'
import { contentTime, equipment, patientAndStudyOf } from './dicom/modules'
import { reportContent } from './dicom/report-content'
import { resultUidsOf } from './dicom/result-uids'
import { planOfFile, type SegmentationPlan } from './dicom/segmentation-plan'
import { type SourceSeries, sourceSeriesOf } from './dicom/source-series'
import { requireDiagnosed } from './masks'

/** What a structured report goes with. */
export interface DicomReportOptions {
  /**
   * The file, of type 'binary', that `dicomSegmentation` gave of the same diagnosis and case: each of its segments is
   * measured in a group that refers to it. Default: none, and measurements are of the lungs and their parts alone.
   */
  segmentation?: Uint8Array | undefined
}

/**
 * A diagnosed case as a DICOM structured report: template TID 1500, Measurement Report (PS3.16), with a group for each
 * segment of the segmentation (TID 1411) under that segment's tracking UID, for each part of the lungs and for the case
 * (TID 1501), in ml, mm², percent and Hounsfield units (UCUM) to six digits; the decision, what was not found, warnings
 * and the statement on research use. It is complete, preliminary and unverified: no person has seen it.
 *
 * It is of the class Enhanced SR (PS3.3, A.35.2), the smallest that holds the template's images, segments and numbers, and
 * so the one that most readers take: Comprehensive 3D SR would add coordinates, which segments make unnecessary.
 *
 * Patient, study and UIDs are as in `dicomSegmentation`: of the source, and the same for the same run.
 *
 * @param scan the case that was diagnosed, of DICOM
 * @throws JcsError INVALID_TYPE; INVALID_ARGUMENT for a case that is not a DICOM series with valid UIDs (PS3.5, 9.1),
 * positions and pixel spacing, for the diagnosis of another case, and for a segmentation that is a label map or not of both;
 * UNSUPPORTED_FORMAT for a name in unknown characters; CORRUPT_FILE for what is no DICOM file; DISPOSED
 */
export async function dicomReport(
  diagnosis: Diagnosis,
  scan: Case,
  options: DicomReportOptions = {},
): Promise<Buffer> {
  const { segmentation } = takeOptions(options)
  const source = await sourceSeriesOf(scan)
  const { study } = source
  requireDiagnosed(diagnosis, source.slices)
  const plan = segmentation && planOfFile(segmentation, diagnosis, source)
  const uid = resultUidsOf(diagnosis, study)
  const content = reportContent(diagnosis, source, plan, uid)
  return writeDicom({
    SOPClassUID: enhancedSrStorage,
    SOPInstanceUID: uid('report', JSON.stringify(content)),
    ...patientAndStudyOf(study),
    Modality: 'SR',
    SeriesInstanceUID: uid('report series'),
    SeriesNumber: 2000 + (scan.series?.seriesNumber ?? 0),
    SeriesDescription: 'Measurements; research use, not a medical device',
    ReferencedPerformedProcedureStepSequence: [],
    ...equipment,
    ...ownSchemeIdentification(),
    InstanceNumber: 1,
    ...contentTime(),
    PreliminaryFlag: 'PRELIMINARY',
    CompletionFlag: 'COMPLETE',
    VerificationFlag: 'UNVERIFIED',
    PerformedProcedureCodeSequence: [],
    CurrentRequestedProcedureEvidenceSequence: evidence(source, plan),
    ...content,
  })
}

const enhancedSrStorage = '1.2.840.10008.5.1.4.1.1.88.22'

function takeOptions(options: DicomReportOptions): DicomReportOptions {
  checkOptions('options', options, ['segmentation'])
  const { segmentation } = options
  if (segmentation === undefined || segmentation instanceof Uint8Array) return { segmentation }
  throw new JcsError(
    'INVALID_TYPE',
    'segmentation must be the bytes of a file, as dicomSegmentation gives them',
  )
}

/** Every instance that the tree refers to, by study and series (PS3.3, C.17.2). */
function evidence(source: SourceSeries, plan: SegmentationPlan | undefined): object[] {
  const { ReferencedSeriesSequence: series } = referencedSeriesOf(source)
  const segmentation = plan && {
    SeriesInstanceUID: plan.seriesUid,
    ReferencedSOPSequence: [
      { ReferencedSOPClassUID: plan.sopClassUid, ReferencedSOPInstanceUID: plan.instanceUid },
    ],
  }
  return [
    {
      StudyInstanceUID: source.study.StudyInstanceUID,
      ReferencedSeriesSequence: [
        ...series.map(({ SeriesInstanceUID, ReferencedInstanceSequence }) => ({
          SeriesInstanceUID,
          ReferencedSOPSequence: ReferencedInstanceSequence,
        })),
        ...(segmentation ? [segmentation] : []),
      ],
    },
  ]
}
