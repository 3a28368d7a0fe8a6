import { join } from 'node:path'
import type { Command } from 'commander'
import { throwIfAborted } from '../../base/abort'
import { makeDirectory, writeFileAtomically } from '../../base/write-files'
import { defaultSliceThreshold, diagnose } from '../../diagnose'
import { loadModel } from '../../model'
import { type Case, openCase } from '../../open-case'
import { diagnosisReport, overlayPng } from '../../report'
import type { Diagnosis } from '../../run/results'
import { fileNameFor } from '../file-name'
import {
  addImageOptions,
  addRunOptions,
  type ImageFlags,
  imageOptionsOf,
  type RuntimeFlags,
  runtimeOf,
  wholeNumber,
} from '../options'
import type { Session } from '../session'
import { maskOf } from './segment'

interface Flags extends RuntimeFlags, ImageFlags {
  classifier: string
  segmenter: string
  sliceThreshold?: number
  batchSize?: number
  explain?: boolean
  title?: string
  out?: string
}

export function addDiagnose(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = program
    .command('diagnose')
    .description('decide a case: classify all slices, segment them when the case is positive')
    .argument(
      '<case...>',
      'a directory of DICOM files or of pictures, a NIfTI volume, a multi-page TIFF, or slices in order',
    )
    .requiredOption('-c, --classifier <file>', 'a trained classifier, .safetensors')
    .requiredOption('-s, --segmenter <file>', 'a trained segmentation network, .safetensors')
    .option(
      '--slice-threshold <n>',
      `positive with more positive slices than this; default ${defaultSliceThreshold}, for 250 to 400 thin slices`,
      wholeNumber,
    )
    .option('--batch-size <n>', 'slices per run of the networks', wholeNumber)
    .option('--explain', 'activation maps as well')
    .option('--title <text>', 'names the case in the report; no patient names, reports are passed on')
    .option('-o, --out <directory>', 'write report.html, diagnosis.json and overlays')
    .addHelpText(
      'after',
      `
Examples:
  jcs diagnose case/ --classifier classifier.safetensors --segmenter segmenter.safetensors --out result/
  jcs diagnose case/ -c classifier.safetensors -s segmenter.safetensors --slice-threshold 2 --json

With fewer than 250 slices the default threshold does not fit and the result says so; with no more slices than it,
a --slice-threshold has to be given.`,
    )
  addRunOptions(addImageOptions(command)).action(async (paths: string[], flags: Flags) => {
    const session = sessionFor(flags)
    const { sliceThreshold, batchSize, out, explain = false } = flags
    using scan = openCase(paths, imageOptionsOf(flags))
    await using classifier = await loadModel(flags.classifier, runtimeOf(flags))
    await using segmenter = await loadModel(flags.segmenter, runtimeOf(flags))
    if (out) await makeDirectory(out)
    const diagnosis = await session.follow((controls) =>
      diagnose({ classifier, segmenter }, scan, { sliceThreshold, batchSize, explain, ...controls }),
    )
    const document = {
      ...diagnosis,
      slices: diagnosis.slices.map((slice) => ({ image: scan.names[slice.index]!, ...slice })),
    }
    if (out) {
      await writePictures(out, scan, diagnosis, session.signal)
      const report = await diagnosisReport(diagnosis, scan, { title: flags.title })
      await writeFileAtomically(join(out, 'report.html'), report)
      await writeFileAtomically(join(out, 'diagnosis.json'), session.toJson(document))
    }
    session.warn(diagnosis.warnings)
    session.finish(document, describe(diagnosis, out))
  })
}

async function writePictures(
  out: string,
  scan: Case,
  diagnosis: Diagnosis,
  signal: AbortSignal,
): Promise<void> {
  for (const { index, classification, segmentation } of diagnosis.slices) {
    throwIfAborted(signal)
    const { activationMap } = classification
    if (!segmentation && !activationMap) continue
    const picture = await overlayPng(await scan.image(index), {
      ...(segmentation && { lesions: maskOf(segmentation) }),
      ...(activationMap && { activationMap }),
    })
    await writeFileAtomically(join(out, fileNameFor(scan.names[index]!, index, '_overlay.png')), picture)
  }
}

function describe(diagnosis: Diagnosis, out: string | undefined): string {
  const { positive, positiveSlices, totalSlices, sliceThreshold, slices, timing, disclaimer } = diagnosis
  const lesions = slices.reduce((sum, { segmentation }) => sum + (segmentation?.lesions.length ?? 0), 0)
  return [
    `${positive ? 'POSITIVE' : 'NEGATIVE'}: ${positiveSlices} of ${totalSlices} slices are positive, the threshold is ${sliceThreshold}`,
    ...(positive ? [`${lesions} lesions in all slices`] : []),
    `${(timing.totalMs / 1000).toFixed(1)} s`,
    ...(out ? [`report: ${join(out, 'report.html')}`] : []),
    '',
    `${disclaimer}.`,
  ].join('\n')
}
