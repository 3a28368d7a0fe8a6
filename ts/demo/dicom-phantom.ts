import { join } from 'node:path'
import { JcsError } from '../base/errors'
import { writeFileAtomically } from '../base/write-files'
import { diagnose } from '../diagnose'
import { loadModel, type Model } from '../model'
import type { RuntimeOptions } from '../model/runtime'
import { shippedModelPath } from '../model/shipped'
import { openCase } from '../open-case'
import { generateCase, type PhantomCase } from '../phantom'
import { diagnosisReport } from '../report'
import { writeCtSeries } from './ct-series'
import type { Follow } from './follow'

/** What the shipped models found in a phantom that lay there as a scanner's folder, beside what is in it. */
export interface DicomPhantom {
  /** The folder of DICOM files. */
  directory: string
  /** Path of its report. */
  report: string
  positive: boolean
  lungVolumeMl: number
  lesionVolumeMl: number
  trueLungVolumeMl: number
  trueLesionVolumeMl: number
  timeMs: number
}

const slices = 40
const size = 256
const sliceThreshold = { millimetres: 20 }

/**
 * Writes a phantom as DICOM and diagnoses the folder as one does a patient's: order, Hounsfield units and millimetres
 * from the files, lesions and lungs by the shipped models. They were trained on patients, so what they say of a phantom
 * is of no account. Undefined where the models are not installed.
 */
export async function diagnoseDicomPhantom(
  seed: number,
  directory: string,
  runtime: RuntimeOptions,
  follow: Follow,
): Promise<DicomPhantom | undefined> {
  if (!hasShippedModels()) return undefined
  await using segmenter: Model = await loadModel('lesions', runtime)
  await using lungs: Model = await loadModel('lungs', runtime)
  const phantom = generateCase(seed, { infected: true, slices, size, hounsfield: true })
  const folder = join(directory, `dicom-${seed}`) // of its own, so that no series of another seed lies in it
  await writeCtSeries(folder, phantom)
  using scan = openCase(folder)
  const diagnosis = await follow((controls) =>
    diagnose({ segmenter, lungs }, scan, { sliceThreshold, ...controls }),
  )
  const report = join(directory, `dicom-${seed}.html`)
  const title = 'A synthetic phantom, read from DICOM'
  await writeFileAtomically(report, await diagnosisReport(diagnosis, scan, { title }))
  const { involvement, positive, timing } = diagnosis
  return {
    directory: folder,
    report,
    positive,
    lungVolumeMl: involvement?.lungVolumeMl ?? Number.NaN,
    lesionVolumeMl: involvement?.lesionVolumeMl ?? Number.NaN,
    trueLungVolumeMl: volumeMl(phantom, 'lungMask'),
    trueLesionVolumeMl: volumeMl(phantom, 'lesionMask'),
    timeMs: timing.totalMs,
  }
}

function hasShippedModels(): boolean {
  try {
    shippedModelPath('lesions')
    return true
  } catch (error) {
    if (error instanceof JcsError && error.code === 'MODELS_NOT_INSTALLED') return false
    throw error
  }
}

function volumeMl(phantom: PhantomCase, mask: 'lungMask' | 'lesionMask'): number {
  const pixels = phantom.slices.reduce(
    (sum, slice) => sum + slice[mask].reduce((count, value) => count + value, 0),
    0,
  )
  const [row, column] = phantom.slices[0]!.pixels.spacing
  return (pixels * row * column * phantom.sliceSpacingMm) / 1000
}
