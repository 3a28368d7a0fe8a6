import { type Case, withCase } from './cases'
import { diagnoseCase } from './diagnosis/diagnose-case'
import { type DiagnosisModels, takeModels } from './diagnosis/models'
import { type DiagnoseOptions, defaultSliceThreshold, takeDiagnosisSettings } from './diagnosis/options'
import type { Images } from './images'
import type { Diagnosis } from './run/results'
import { Run } from './run/run'

export { type DiagnoseOptions, type DiagnosisModels, defaultSliceThreshold }

/**
 * Diagnoses a case. With a classifier it is the paper's joint diagnosis: all slices are classified, the case is positive
 * when more than `sliceThreshold` of them are, and lesions are segmented only when it is, or when there is a lung model
 * to measure them against. Without a classifier all slices are segmented, and positive by the area of their lesions.
 * Slices are decoded once, and kept until the end.
 *
 * With a lung model, slices that are missing in a DICOM series stop the diagnosis, for volumes over a gap are wrong;
 * `onGap: 'warn'`, of the case where one was opened, goes on.
 *
 * @throws JcsError CASE_TOO_SMALL when the case has no more slices than the default threshold and none was given: it
 * could not be positive whatever it showed; INCOMPLETE_SERIES
 */
export function diagnose(
  models: DiagnosisModels,
  slices: Images | Case,
  options: DiagnoseOptions = {},
): Run<Diagnosis> {
  return new Run(async (context) => {
    const natives = takeModels(models)
    const settings = takeDiagnosisSettings(options, natives.classifier !== undefined)
    return withCase(slices, options, 'patient', (scan) =>
      diagnoseCase(scan, models, natives, settings, context),
    )
  }, options)
}
