import { version } from '../../base/version'
import type { SourceStudy } from '../../images'

/** Patient and study of a result: those of its source (PS3.3, C.7.1.1 and C.7.2.1). */
export function patientAndStudyOf(study: SourceStudy): object {
  const { StudyDescription } = study
  return {
    PatientName: study.PatientName,
    PatientID: study.PatientID,
    PatientBirthDate: study.PatientBirthDate,
    PatientSex: study.PatientSex,
    StudyInstanceUID: study.StudyInstanceUID,
    StudyDate: study.StudyDate,
    StudyTime: study.StudyTime,
    AccessionNumber: study.AccessionNumber,
    ReferringPhysicianName: study.ReferringPhysicianName,
    StudyID: study.StudyID,
    ...(StudyDescription && { StudyDescription }),
  }
}

/** Of what lies where its source does (PS3.3, C.7.4.1). */
export function frameOfReferenceOf(study: SourceStudy): object {
  return {
    FrameOfReferenceUID: study.FrameOfReferenceUID,
    PositionReferenceIndicator: study.PositionReferenceIndicator,
  }
}

/** Enhanced General Equipment (PS3.3, C.7.5.2). */
export const equipment = {
  Manufacturer: 'jcs-ct',
  ManufacturerModelName: 'jcs-ct',
  DeviceSerialNumber: version,
  SoftwareVersions: version,
}

/** What was lossy once stays so in all that is derived from it (PS3.3, C.7.6.1.1.5). */
export function lossyCompressionOf(study: SourceStudy): object {
  const { LossyImageCompressionRatio: ratio, LossyImageCompressionMethod: method } = study
  if (study.LossyImageCompression !== '01') return { LossyImageCompression: '00' }
  return {
    LossyImageCompression: '01',
    ...(ratio && { LossyImageCompressionRatio: ratio.split('\\') }),
    ...(method && { LossyImageCompressionMethod: method.split('\\') }),
  }
}

/** The content's date and time: now, local as those of the study are. */
export function contentTime(now = new Date()): { ContentDate: string; ContentTime: string } {
  const two = (value: number) => `${value}`.padStart(2, '0')
  return {
    ContentDate: `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`,
    ContentTime: `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`,
  }
}
