export { type DiagnosisReportOptions, diagnosisReport } from './diagnosis-report'
export { type OverlayOptions, overlayPng } from './overlay'
export { type ReportedTraining, type TrainingReportOptions, trainingReport } from './training-report'
export { writeFileAtomically } from './write-file'
