import type { Command } from 'commander'
import { JcsError } from '../../base/errors'
import { type WatchEvent, watch } from '../../watch'
import {
  addDiagnosisOptions,
  type DiagnosisFlags,
  diagnosisOptionsOf,
  withModels,
} from '../diagnosis-options'
import { addRunOptions, number } from '../options'
import { addPacsOptions, type PacsFlags, pacsOf } from '../pacs'
import type { Session, SessionOptions } from '../session'

interface Flags extends DiagnosisFlags, PacsFlags, SessionOptions {
  state: string
  out?: string
  /** False with --no-store. */
  store: boolean
  studyDate?: string
  stable: number
  poll: number
  once?: boolean
}

export function addWatch(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = addDiagnosisOptions(program.command('watch'))
    .description('diagnose every new chest CT of an archive or a folder, once, as it comes')
    .requiredOption(
      '--state <directory>',
      'remembers what was seen and done, so that nothing is lost or repeated',
    )
    .option('-o, --out <directory>', 'report.html and diagnosis.json of each series; needed for a folder')
    .option('--no-store', 'store nothing in the archive')
    .option('--study-date <range>', 'of the archive: studies of a day, YYYYMMDD, or of a range, 20261101-')
    .option('--stable <seconds>', 'a series is complete when nothing was added for so long', number, 60)
    .option('--poll <seconds>', 'between two looks', number, 30)
    .option('--once', 'end when there is nothing left to do')
    .addHelpText(
      'after',
      `
Examples:
  jcs watch --from https://pacs.example/dicom-web --token-file token --study-date 20261101- --state state/
  jcs watch --from incoming/ --state state/ --out results/

Ended in whatever way, it goes on where it was when it is started with the same --state. --from takes the path of a
folder as well. Without --study-date all CT that the archive has is diagnosed.`,
    )
  addRunOptions(addPacsOptions(command)).action(async (flags: Flags) => {
    const session = sessionFor(flags)
    const { from, state, out, store, studyDate, stable, poll, once } = flags
    if (from === undefined) throw new JcsError('INVALID_ARGUMENT', '--from is missing: what is to be watched')
    const isFolder = !/^https?:\/\//i.test(from)
    await withModels(flags, async (models) => {
      const events = watch(models, isFolder ? from : pacsOf(flags), {
        ...diagnosisOptionsOf(flags),
        state,
        out,
        ...(!isFolder && { store, studyDate }),
        stableMs: 1000 * stable,
        pollMs: 1000 * poll,
        once,
        signal: session.signal,
      })
      let isIdle = false
      for await (const event of events) {
        // Once is enough until something happens.
        if (event.kind !== 'idle' || !isIdle) show(event, session)
        isIdle = event.kind === 'idle'
      }
    })
  })
}

/** A line each; of what takes long only that it has begun and ended. */
function show(event: WatchEvent, session: Session): void {
  if (event.kind === 'progress') return
  session.report({ time: new Date().toISOString(), ...event }, `${new Date().toISOString()} ${textOf(event)}`)
}

function textOf(event: Exclude<WatchEvent, { kind: 'progress' }>): string {
  switch (event.kind) {
    case 'found':
      return `found ${event.series}, ${event.instances} instances`
    case 'left':
      return `left ${event.series}: ${event.reason}`
    case 'started':
      return `diagnosing ${event.series}, ${event.instances} instances`
    case 'diagnosed':
      return `${event.series} is ${event.positive ? 'POSITIVE' : 'NEGATIVE'}`
    case 'done':
      return `done with ${event.series}, ${event.results} results stored`
    case 'failed':
      return `${event.isFinal ? 'gave up' : 'failed'} ${event.series}: ${event.message} [${event.code}]`
    case 'away':
      return `waiting ${Math.round(event.retryMs / 1000)} s: ${event.message} [${event.code}]`
    case 'idle': {
      const { done, waiting, ready, failed, left } = event.counts
      return `nothing to do: ${done} done, ${waiting + ready} waiting, ${failed} failed, ${left} left`
    }
  }
}
