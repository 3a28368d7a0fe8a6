import { join } from 'node:path'
import type { Command } from 'commander'
import { makeDirectory, writeFileAtomically } from '../../base/write-files'
import { compareDiagnoses, type DiagnosedCase } from '../../compare-diagnoses'
import { type DiagnosisModels, diagnose } from '../../diagnose'
import { openCase } from '../../open-case'
import { comparisonReport } from '../../report'
import type { Comparison } from '../../run/results'
import {
  addDiagnosisOptions,
  type DiagnosisFlags,
  diagnosisOptionsOf,
  withModels,
} from '../diagnosis-options'
import { addImageOptions, addRunOptions, type ImageFlags, imageOptionsOf, number } from '../options'
import type { Session, SessionOptions } from '../session'
import { table } from '../table'

interface Flags extends DiagnosisFlags, ImageFlags, SessionOptions {
  seriesBefore?: string
  minLesionVolume?: number
  title?: string
  out?: string
}

export function addCompare(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = addDiagnosisOptions(program.command('compare'))
    .description('compare two scans of a patient: how much is lesion then and now, and what became of each')
    .argument('<before>', 'the earlier scan: a directory of DICOM files, or a NIfTI volume')
    .argument('<after>', 'the later one')
    .option(
      '--series-before <uid>',
      'the DICOM series to take of the earlier scan; --series is of the later one',
    )
    .option('--min-lesion-volume <ml>', 'smaller new or vanished lesions are left out; default 0.1', number)
    .option('--title <text>', 'names the patient in the report; no real names, reports are passed on')
    .option('-o, --out <directory>', 'write comparison.html and comparison.json')
    .addHelpText(
      'after',
      `
Examples:
  jcs compare march/ april/ --out result/
  jcs compare march.nii.gz april.nii.gz --json

Lesions are matched by where they lie relative to the lungs; images are not registered.`,
    )
  addRunOptions(addImageOptions(command)).action(async (earlier: string, later: string, flags: Flags) => {
    const session = sessionFor(flags)
    const { out, title, minLesionVolume } = flags
    const options = imageOptionsOf(flags)
    using scanBefore = openCase(earlier, { ...options, series: flags.seriesBefore })
    using scanAfter = openCase(later, options)
    const [before, after] = await withModels(flags, async (models) => {
      if (out) await makeDirectory(out)
      return [
        await diagnosed(scanBefore, models, flags, session),
        await diagnosed(scanAfter, models, flags, session),
      ] as const
    })
    const comparison = await compareDiagnoses(before, after, { minLesionVolumeMl: minLesionVolume })
    if (out) {
      const report = await comparisonReport(comparison, before, after, { title })
      await writeFileAtomically(join(out, 'comparison.html'), report)
      await writeFileAtomically(join(out, 'comparison.json'), session.toJson(comparison))
    }
    session.warn(comparison.warnings)
    session.finish(comparison, describe(comparison, out))
  })
}

async function diagnosed(
  scan: DiagnosedCase['scan'],
  models: DiagnosisModels,
  flags: Flags,
  session: Session,
): Promise<DiagnosedCase> {
  const diagnosis = await session.follow((controls) =>
    diagnose(models, scan, { ...diagnosisOptionsOf(flags), ...controls }),
  )
  return { diagnosis, scan }
}

function describe(
  { before, after, lesions, notices, disclaimer }: Comparison,
  out: string | undefined,
): string {
  const parts = [
    ['both lungs', before, after] as const,
    ...before.sides.map((side, index) => [`${side.side} lung`, side, after.sides[index]!] as const),
  ]
  const rows = parts.map(([name, was, is]) => [
    name,
    `${was.percent.toFixed(1)} %`,
    `${is.percent.toFixed(1)} %`,
    was.lesionVolumeMl.toFixed(1),
    is.lesionVolumeMl.toFixed(1),
  ])
  const changes = lesions.map(({ change, volumeBeforeMl, volumeAfterMl, side, third }) => [
    change,
    volumeBeforeMl.toFixed(2),
    volumeAfterMl.toFixed(2),
    `${side}, ${third} third`,
  ])
  return [
    table(['', 'before', 'after', 'lesions before, ml', 'after, ml'], rows),
    '',
    ...(changes.length > 0
      ? [table(['lesion', 'before, ml', 'after, ml', 'place'], changes)]
      : ['no lesion of a size that counts']),
    ...(out ? [`report: ${join(out, 'comparison.html')}`] : []),
    '',
    ...notices,
    `${disclaimer}.`,
  ].join('\n')
}
