import type { Command } from 'commander'
import { type DiagnoseOptions, type DiagnosisModels, defaultSliceThreshold } from '../diagnose'
import { loadModel } from '../model'
import { number, type RuntimeFlags, runtimeOf, wholeNumber } from './options'

/** Flags of every command that diagnoses. */
export interface DiagnosisFlags extends RuntimeFlags {
  classifier?: string
  segmenter?: string
  /** False with --no-lungs. */
  lungs?: string | false
  sliceThreshold?: DiagnoseOptions['sliceThreshold']
  minLesionArea?: number
  batchSize?: number
}

export function addDiagnosisOptions(command: Command): Command {
  return command
    .option(
      '-s, --segmenter <model>',
      "a network that outlines lesions: 'lesions', the default, of the package jcs-ct-models, or a file",
    )
    .option(
      '-c, --classifier <file>',
      'a trained classifier: the case is decided by it; else by the area of lesions',
    )
    .option(
      '-l, --lungs <model>',
      "a network that outlines lungs, against which lesions are measured: 'lungs', the default beside the default segmenter, or a file",
    )
    .option('--no-lungs', 'measure nothing')
    .option(
      '--slice-threshold <n>',
      `positive with more positive slices than this; default ${defaultSliceThreshold}, for 250 to 400 thin slices. Or in millimetres: 50mm`,
      sliceThreshold,
    )
    .option(
      '--min-lesion-area <mm2>',
      "without a classifier: a slice is positive with more lesion; default the segmenter's",
      number,
    )
    .option('--batch-size <n>', 'slices per run of the networks', wholeNumber)
}

/** A number of slices, or millimetres of them. */
function sliceThreshold(text: string): DiagnoseOptions['sliceThreshold'] {
  const millimetres = /^(.+?) ?mm$/.exec(text)?.[1]
  return millimetres === undefined ? wholeNumber(text) : { millimetres: number(millimetres) }
}

export function diagnosisOptionsOf({
  sliceThreshold,
  minLesionArea,
  batchSize,
}: DiagnosisFlags): Pick<DiagnoseOptions, 'sliceThreshold' | 'minLesionAreaMm2' | 'batchSize'> {
  return { sliceThreshold, minLesionAreaMm2: minLesionArea, batchSize }
}

/** Loads the models that flags name, and frees them after `use`. */
export async function withModels<T>(
  flags: DiagnosisFlags,
  use: (models: DiagnosisModels) => Promise<T>,
): Promise<T> {
  const { segmenter: segmenterSource = 'lesions' } = flags
  const lungsSource = flags.lungs ?? (flags.segmenter === undefined ? 'lungs' : false)
  const load = async (source: string | false | undefined) =>
    source ? await loadModel(source, runtimeOf(flags)) : undefined
  await using classifier = await load(flags.classifier)
  await using segmenter = await loadModel(segmenterSource, runtimeOf(flags))
  await using lungs = await load(lungsSource)
  return await use({ classifier, segmenter, lungs })
}
