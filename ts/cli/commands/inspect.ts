import type { Command } from 'commander'
import { listSeries, type SeriesList } from '../../list-series'
import { addOutputOptions } from '../options'
import type { Session, SessionOptions } from '../session'
import { table } from '../table'

interface Flags extends SessionOptions {
  skipBadSlices?: boolean
}

export function addInspect(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = program
    .command('inspect')
    .description('list the CT series in a folder of DICOM files')
    .argument('<folder...>', 'folders of a scanner, or DICOM files')
    .option('--skip-bad-slices', 'leave out and report files that cannot be read, instead of stopping')
    .addHelpText(
      'after',
      `
Examples:
  jcs inspect scans/
  jcs inspect scans/ --json | jq -r '.series[0].uid'

The first series is the one that jcs diagnose takes, unless --series names another. No patient's name, ID or date is
shown.`,
    )
  addOutputOptions(command).action(async (paths: string[], flags: Flags) => {
    const session = sessionFor(flags)
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
