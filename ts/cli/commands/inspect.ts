import type { Command } from 'commander'
import { JcsError } from '../../base/errors'
import { type FoundSeries, findSeries } from '../../find-series'
import { listSeries, type SeriesList } from '../../list-series'
import { addOutputOptions } from '../options'
import { addPacsOptions, type PacsFlags, pacsOf } from '../pacs'
import type { Session, SessionOptions } from '../session'
import { table } from '../table'

interface Flags extends SessionOptions, PacsFlags {
  study?: string
  skipBadSlices?: boolean
}

export function addInspect(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = program
    .command('inspect')
    .description('list the CT series in a folder of DICOM files, or of a study in an archive')
    .argument('[folder...]', 'folders of a scanner, or DICOM files; or nothing, with --from')
    .option('--study <uid>', 'of the archive: the series of this study alone')
    .option('--skip-bad-slices', 'leave out and report files that cannot be read, instead of stopping')
    .addHelpText(
      'after',
      `
Examples:
  jcs inspect scans/
  jcs inspect scans/ --json | jq -r '.series[0].uid'
  jcs inspect --from https://pacs.example/dicom-web --study 1.2.840.113619.2.55.3

The first series is the one that jcs diagnose takes, unless --series names another. No patient's name, ID or date is
shown.`,
    )
  addOutputOptions(addPacsOptions(command)).action(async (paths: string[], flags: Flags) => {
    const session = sessionFor(flags)
    const { from, study } = flags
    if (paths.length > 0 === (from !== undefined || study !== undefined))
      throw new JcsError('INVALID_ARGUMENT', 'name folders or files, or an archive by --from')
    if (from !== undefined || study !== undefined) {
      const series = await findSeries(pacsOf(flags), { study, modality: 'CT' }, { signal: session.signal })
      session.finish({ series }, describeFound(series))
      return
    }
    const found = await listSeries(paths, {
      signal: session.signal,
      onBadSlice: flags.skipBadSlices ? 'skip' : 'error',
    })
    for (const { uid, warnings } of found.series) {
      for (const warning of warnings) session.say(`${uid || 'series without a UID'}: ${warning}`)
    }
    session.finish(found, describe(found))
  })
}

function describeFound(series: readonly FoundSeries[]): string {
  const rows = series.map(({ studyUid, number, instances, uid }) => [
    studyUid,
    number ?? '–',
    instances ?? '–',
    uid,
  ])
  return table(['study', 'series', 'instances', 'UID'], rows)
}

function describe({ series, excluded }: SeriesList): string {
  const rows = series.map(({ seriesNumber, slices, isAxial, rows, columns, spacingMm, kernel, uid }) => [
    seriesNumber ?? '–',
    slices,
    isAxial ? 'axial' : 'not axial',
    `${columns} × ${rows}`,
    spacingMm ? spacingMm.map((mm) => mm.toFixed(2)).join(' × ') : '–',
    kernel ?? '–',
    uid || '–',
  ])
  const leftOut = [...series.flatMap((one) => one.excluded), ...excluded]
  return [
    table(['series', 'slices', 'plane', 'pixels', 'spacing, mm', 'kernel', 'UID'], rows),
    ...(leftOut.length > 0 ? [''] : []),
    ...leftOut.map(({ what, reason }) => `left out: ${what}: ${reason}`),
  ].join('\n')
}
