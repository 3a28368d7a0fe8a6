import { join } from 'node:path'
import type { Command } from 'commander'
import { throwIfAborted } from '../../base/abort'
import { JcsError } from '../../base/errors'
import { makeDirectory, writeFileAtomically } from '../../base/write-files'
import { diagnose } from '../../diagnose'
import { type Case, openCase } from '../../open-case'
import { diagnosisDocument } from '../../output/diagnosis-document'
import { requireDicomSource } from '../../output/dicom/source-series'
import { type DicomResults, type DicomResultsOptions, dicomResults } from '../../output/dicom-results'
import type { DicomSegmentationOptions } from '../../output/dicom-segmentation'
import type { Outlined } from '../../output/masks'
import { writeWithNewUids } from '../../output/new-uids'
import { niftiMask } from '../../output/nifti-mask'
import { diagnosisReport, overlayPng } from '../../report'
import type { ImageOptions } from '../../run/options'
import type { Diagnosis, StoredInstance } from '../../run/results'
import { thresholdText } from '../../run/threshold-text'
import {
  addDiagnosisOptions,
  type DiagnosisFlags,
  diagnosisOptionsOf,
  withModels,
} from '../diagnosis-options'
import { fileNameFor } from '../file-name'
import { addImageOptions, addRunOptions, type ImageFlags, imageOptionsOf } from '../options'
import { addPacsOptions } from '../pacs'
import type { Session } from '../session'
import { requireStored, type Source, type StudyFlags, storeResults, withSource } from '../study'
import { maskOf } from './segment'

interface Flags extends DiagnosisFlags, ImageFlags, StudyFlags {
  explain?: boolean
  nifti?: boolean
  seg?: string
  perLesion?: boolean
  labelmap?: boolean
  sr?: string
  keyImages?: string
  newUids?: string
  title?: string
  out?: string
}

export function addDiagnose(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = addDiagnosisOptions(program.command('diagnose'))
    .description('decide a case: classify its slices, segment them, measure the lesions')
    .argument(
      '[case...]',
      'a directory of DICOM files or of pictures, a NIfTI volume, a multi-page TIFF, or slices in order; or nothing, with --study',
    )
    .option('--explain', 'activation maps as well')
    .option('--nifti', 'with --out: masks of lesions and lungs as well, lesions.nii.gz and lungs.nii.gz')
    .option(
      '--seg <file>',
      'write lesions and lungs as a DICOM Segmentation, filed with the study of the case; it names the patient as DICOM does',
    )
    .option('--per-lesion', 'with --seg or --store: a segment for each lesion across slices')
    .option(
      '--labelmap',
      'with --seg: a label map, for viewers that take one, compressed by RLE; not with --sr',
    )
    .option(
      '--sr <file>',
      'write the measurements as a DICOM structured report, with --seg of the segments in that file; it names the patient too',
    )
    .option(
      '--key-images <directory>',
      'write the three slices with most lesion as DICOM images with the outlines burnt in; they name the patient too',
    )
    .option(
      '--new-uids <directory>',
      'write copies of the DICOM files with new UIDs and diagnose those: for files without valid ones, to which DICOM results cannot refer',
    )
    .option('--title <text>', 'names the case in the report; no patient names, reports are passed on')
    .option('--study <uid>', 'instead of files: the StudyInstanceUID of a study in the archive of --from')
    .option(
      '--fetch-to <directory>',
      'with --study: keep its files there, and go on there after a broken call',
    )
    .option('--store', 'with --study: store segmentation, report and key images with the study')
    .option('-o, --out <directory>', 'write report.html, diagnosis.json and overlays')
    .addHelpText(
      'after',
      `
Examples:
  jcs diagnose scans/ --out result/
  jcs diagnose case/ --classifier classifier.safetensors --segmenter segmenter.safetensors --out result/
  jcs diagnose scans/ --seg segmentation.dcm --sr report.dcm --key-images key/
  jcs diagnose --study 1.2.840.113619.2.55.3 --from https://pacs.example/dicom-web --token-file token --store
  jcs diagnose case/ -s segmenter.safetensors --lungs lungs.safetensors --slice-threshold 50mm --json

With fewer than 250 slices the default threshold does not fit and the result says so; with no more slices than it,
a --slice-threshold has to be given.`,
    )
  addRunOptions(addPacsOptions(addImageOptions(command))).action(async (paths: string[], flags: Flags) => {
    const session = sessionFor(flags)
    await withSource(paths, flags, session, (source) => diagnoseSource(source, flags, session))
  })
}

async function diagnoseSource(
  { paths, series, warnings }: Source,
  flags: Flags,
  session: Session,
): Promise<void> {
  const { out, explain = false, nifti = false, keyImages, store } = flags
  if (nifti && !out) throw new JcsError('INVALID_ARGUMENT', '--nifti needs --out, the directory to write to')
  const options = { ...imageOptionsOf(flags), series }
  const copies = flags.newUids && (await copyWithNewUids(paths, options, flags.newUids))
  // Copies are of one series, whose UID is another one.
  using scan = copies ? openCase(copies, { ...options, series: undefined }) : openCase(paths, options)
  const kinds = kindsOf(flags)
  const segmentation = segmentationOf(flags)
  const made = await withModels(flags, async (models) => {
    for (const directory of [out, keyImages]) if (directory) await makeDirectory(directory)
    if (kinds.length > 0) await requireDicomSource(scan)
    return session.follow((controls) =>
      diagnose(models, scan, { ...diagnosisOptionsOf(flags), explain, ...controls }),
    )
  })
  const diagnosis = { ...made, warnings: [...warnings, ...made.warnings] }
  const document = diagnosisDocument(diagnosis, scan.names)
  if (out) {
    await writePictures(out, scan, diagnosis, session.signal)
    const report = await diagnosisReport(diagnosis, scan, { title: flags.title })
    await writeFileAtomically(join(out, 'report.html'), report)
    await writeFileAtomically(join(out, 'diagnosis.json'), session.toJson(document))
    if (nifti) {
      const written = await writeMasks(out, scan, diagnosis)
      if (written.length === 0)
        session.warn(['No mask was written: nothing was outlined in a negative case.'])
    }
  }
  const results = kinds.length > 0 ? await dicomResults(diagnosis, scan, { kinds, segmentation }) : undefined
  if (results) await writeResults(results, flags, session)
  session.warn(diagnosis.warnings)
  const stored = store && results ? await storeResults(results, flags, session) : undefined
  session.finish({ ...document, ...(stored && { stored }) }, describe(diagnosis, out, stored))
  requireStored(stored)
}

/** @throws JcsError INVALID_ARGUMENT for what does not go together */
function segmentationOf({ seg, sr, store, perLesion, labelmap }: Flags): DicomSegmentationOptions {
  if (labelmap && (sr || store))
    throw new JcsError(
      'INVALID_ARGUMENT',
      '--labelmap is for --seg alone: a report cannot refer to a label map',
    )
  for (const [name, flag] of [
    ['per-lesion', perLesion],
    ['labelmap', labelmap],
  ] as const)
    if (flag && !seg && !store) throw new JcsError('INVALID_ARGUMENT', `--${name} needs --seg`)
  return { perLesion, ...(labelmap && { type: 'labelmap', compression: 'rle' }) }
}

function kindsOf({ seg, sr, keyImages, store }: Flags): NonNullable<DicomResultsOptions['kinds']> {
  return [
    ...(seg || store ? (['segmentation'] as const) : []),
    ...(sr || store ? (['report'] as const) : []),
    ...(keyImages || store ? (['key-images'] as const) : []),
  ]
}

async function writePictures(
  out: string,
  scan: Case,
  diagnosis: Diagnosis,
  signal: AbortSignal,
): Promise<void> {
  for (const { index, classification, segmentation } of diagnosis.slices) {
    throwIfAborted(signal)
    const activationMap = classification?.activationMap
    if (!segmentation && !activationMap) continue
    const picture = await overlayPng(await scan.image(index), {
      ...(segmentation && { lesions: maskOf(segmentation) }),
      ...(activationMap && { activationMap }),
    })
    await writeFileAtomically(join(out, fileNameFor(scan.names[index]!, index, '_overlay.png')), picture)
  }
}

/** Of what was looked for. Gives what there is a file of. */
async function writeMasks(out: string, scan: Case, diagnosis: Diagnosis): Promise<Outlined[]> {
  const outlined: Outlined[] = []
  if (diagnosis.slices[0]?.segmentation) outlined.push('lesions')
  if (diagnosis.involvement) outlined.push('lungs')
  for (const what of outlined)
    await writeFileAtomically(join(out, `${what}.nii.gz`), await niftiMask(diagnosis, scan, what))
  return outlined
}

async function writeResults(
  { segmentation, report, keyImages }: DicomResults,
  { seg, sr, keyImages: directory }: Flags,
  session: Session,
): Promise<void> {
  if (seg && segmentation) await writeFileAtomically(seg, segmentation)
  else if (seg) session.warn(['No segmentation was written: no lung and no lesion was outlined.'])
  if (sr && report) await writeFileAtomically(sr, report)
  if (!directory) return
  if (keyImages.length === 0) session.warn(['No key image was written: no lesion was outlined.'])
  for (const [index, image] of keyImages.entries())
    await writeFileAtomically(join(directory, `key-image-${index + 1}.dcm`), image)
}

async function copyWithNewUids(paths: string[], options: ImageOptions, directory: string): Promise<string[]> {
  using found = openCase(paths, options)
  return await writeWithNewUids(found, directory)
}

function describe(
  diagnosis: Diagnosis,
  out: string | undefined,
  stored: readonly StoredInstance[] | undefined,
): string {
  const { positive, positiveSlices, totalSlices, slices, timing, notices, disclaimer } = diagnosis
  const lesions = slices.reduce((sum, { segmentation }) => sum + (segmentation?.lesions.length ?? 0), 0)
  const isSegmented = slices.some(({ segmentation }) => segmentation)
  return [
    `${positive ? 'POSITIVE' : 'NEGATIVE'}: ${positiveSlices} of ${totalSlices} slices are positive, the threshold is ${thresholdText(diagnosis)}`,
    ...describeBasis(diagnosis),
    ...(isSegmented ? [`${lesions} lesions in all slices`] : []),
    ...describeInvolvement(diagnosis),
    `${(timing.totalMs / 1000).toFixed(1)} s`,
    ...(out ? [`report: ${join(out, 'report.html')}`] : []),
    ...(stored
      ? [`${stored.filter((one) => one.stored).length} of ${stored.length} results are in the archive`]
      : []),
    '',
    ...notices,
    `${disclaimer}.`,
  ].join('\n')
}

function describeBasis({ basis, minLesionAreaMm2 = 0 }: Diagnosis): string[] {
  return basis === 'classifier'
    ? []
    : [`no classifier: a slice is positive with more than ${minLesionAreaMm2} mm² of lesions`]
}

function describeInvolvement({ involvement }: Diagnosis): string[] {
  if (!involvement) return []
  const { lungVolumeMl, lesionVolumeMl, sides, severityScore } = involvement
  const parts = sides.map(({ side, percent }) => `${side} ${percent.toFixed(1)} %`)
  return [
    `lungs ${lungVolumeMl.toFixed(0)} ml, lesions ${lesionVolumeMl.toFixed(1)} ml: ${involvement.percent.toFixed(1)} % (${parts.join(', ')}), severity score ${severityScore} of 24`,
  ]
}
