export { type DiagnosisReportOptions, diagnosisReport } from './diagnosis-report'
export { type OverlayOptions, overlayPng } from './overlay'
export { type ProfileReportOptions, profileReport } from './profile-report'
export { type ReportedTraining, type TrainingReportOptions, trainingReport } from './training-report'
