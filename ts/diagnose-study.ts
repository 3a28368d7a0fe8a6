import { requireBoolean, requireString } from './base/check'
import { withTemporaryDirectory } from './base/temporary-directory'
import { Case } from './cases'
import { type DiagnoseOptions, type DiagnosisModels, diagnose } from './diagnose'
import { takeModels } from './diagnosis/models'
import { takeDiagnosisSettings } from './diagnosis/options'
import type { Pacs } from './dicomweb'
import { fetchSeries } from './fetch-series'
import { requireDicomSource } from './output/dicom/source-series'
import { dicomResults, filesOf } from './output/dicom-results'
import { separateImageOptions } from './run/options'
import { runPart } from './run/part'
import type { Diagnosis, StoredInstance } from './run/results'
import { Run, type RunContext } from './run/run'
import { storeInstances } from './store-instances'

export interface DiagnoseStudyOptions extends DiagnoseOptions {
  /** SeriesInstanceUID. Default: the CT series with the most instances that is an axial scan. */
  series?: string | undefined
  /** Where the series is fetched to, and stays. Default: a temporary directory, which is removed. */
  directory?: string | undefined
  /** Stores the results with the study. Default false. */
  store?: boolean | undefined
}

/** What became of a study. */
export interface StudyDiagnosis {
  diagnosis: Diagnosis
  /** StudyInstanceUID. */
  study: string
  /** SeriesInstanceUID of what was diagnosed. */
  series: string
  /** With `store`: of segmentation, report and key images, whether the archive has them now. */
  stored: StoredInstance[]
}

/**
 * Fetches a CT series of a study from an archive, diagnoses it, and with `store` files its segmentation, report and key
 * images with the study. An archive that does not take one of them stops none of the others; see `stored`.
 *
 * @param study StudyInstanceUID
 * @throws JcsError what `fetchSeries`, `diagnose`, `dicomResults` and `storeInstances` do
 */
export function diagnoseStudy(
  models: DiagnosisModels,
  pacs: Pacs,
  study: string,
  options: DiagnoseStudyOptions = {},
): Run<StudyDiagnosis> {
  const { signal, onProgress, directory, store = false, ...settings } = options
  return new Run(
    async (context) => {
      requireBoolean('store', store)
      if (directory !== undefined) requireString('directory', directory)
      // Whatever is wrong is said before anything is fetched.
      takeDiagnosisSettings(settings, takeModels(models).classifier !== undefined)
      const work = (path: string) => diagnoseIn(path, models, pacs, study, { ...settings, store }, context)
      return directory === undefined ? withTemporaryDirectory(work) : work(directory)
    },
    { signal, onProgress },
  )
}

async function diagnoseIn(
  directory: string,
  models: DiagnosisModels,
  pacs: Pacs,
  study: string,
  { store, series, ...options }: DiagnoseStudyOptions,
  context: RunContext,
): Promise<StudyDiagnosis> {
  const fetched = await runPart(context, (controls) =>
    fetchSeries(pacs, { study, series }, directory, controls),
  )
  const [imageOptions, settings] = separateImageOptions(options)
  using scan = new Case(fetched.files, imageOptions, 'patient')
  if (store) await requireDicomSource(scan)
  const diagnosis = await runPart(context, (controls) => diagnose(models, scan, { ...settings, ...controls }))
  const results = store ? filesOf(await dicomResults(diagnosis, scan)) : []
  const stored = await runPart(context, (controls) => storeInstances(pacs, results, controls))
  return {
    diagnosis: { ...diagnosis, warnings: [...fetched.warnings, ...diagnosis.warnings] },
    study,
    series: fetched.series,
    stored,
  }
}
