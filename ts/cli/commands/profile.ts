import type { Command } from 'commander'
import { writeFileAtomically } from '../../base/write-files'
import { loadModel } from '../../model'
import { type Rates, type Roofline, rooflineOf } from '../../model/roofline'
import { profileReport } from '../../report'
import {
  alternativeCell,
  boundSentence,
  mebibytes,
  rooflineNotes,
  savingSentences,
} from '../../report/profile-report'
import { addRuntimeOptions, type RuntimeFlags, runtimeOf, wholeNumber } from '../options'
import { Session } from '../session'
import { table } from '../table'

interface Flags extends RuntimeFlags {
  batch: number
  height?: number
  width?: number
  top: number
  alternatives: boolean
  html?: string
}

export function addProfile(program: Command): void {
  const command = program
    .command('profile')
    .description('time every step of a model’s inference program, beside what the device can do at best')
    .argument('<model>', 'a .safetensors file of this library')
    .option('--batch <n>', 'images per run', wholeNumber, 1)
    .option('--height <pixels>', "default: the model's", wholeNumber)
    .option('--width <pixels>', "default: the model's", wholeNumber)
    .option('--top <n>', 'steps to show, the slowest first', wholeNumber, 20)
    .option('--no-alternatives', 'do not time what else could compute each convolution')
    .option('--json', 'print all steps as JSON')
    .option('--html <file>', 'write a page with the roofline’s picture and all steps')
    .addHelpText('after', `\nReading the figures:\n${rooflineNotes.map((note) => `  ${note}`).join('\n')}`)
  addRuntimeOptions(command).action(async (path: string, flags: Flags) => {
    await using model = await loadModel(path, runtimeOf(flags))
    const { batch, height = model.inputSize, width = model.inputSize, top, alternatives } = flags
    const profile = await model.profile({ batch, height, width, alternatives })
    const roofline = rooflineOf(profile, await model.peaks())
    if (flags.html !== undefined) await writeFileAtomically(flags.html, profileReport(model, roofline))
    const { device, precision, threads, spec } = model
    const title = `${spec.network} on ${device}, ${precision}, ${threads} threads, ${batch} × ${height} × ${width}`
    new Session(flags).finish(
      { device, precision, threads, spec, batch, height, width, ...roofline },
      `${title}\n${describe(roofline, top)}`,
    )
  })
}

function describe(roofline: Roofline, top: number): string {
  const { steps, groups, seconds, peaks, arenaBytes, persistentBytes, copiedBytes } = roofline
  const slowest = [...steps].sort((a, b) => b.seconds - a.seconds).slice(0, top)
  const products = Object.entries(peaks.flopsPerSecond).map(
    ([dtype, peak]) => `${dtype} ${(peak / 1e9).toFixed(0)} GFLOP/s`,
  )
  return [
    `${steps.length} steps, ${(seconds * 1000).toFixed(1)} ms; intermediate values ${mebibytes(arenaBytes)}, prepared weights ${mebibytes(persistentBytes)}, copied ${mebibytes(copiedBytes)}`,
    `at best ${products.join(', ')}, memory ${(peaks.bytesPerSecond / 1e9).toFixed(1)} GB/s`,
    boundSentence(roofline),
    ...savingSentences(roofline),
    '',
    table(
      ['op', 'kernel', 'steps', ...rateColumns],
      groups.map((group) => [group.op, group.implementation, group.steps, ...rateCells(group)]),
    ),
    '',
    table(
      ['layer', 'op', 'output', 'type', 'kernel', ...rateColumns, 'bound by', 'best other kernel'],
      slowest.map((step) => [
        step.scope,
        step.op,
        step.output,
        step.dtype,
        step.implementation,
        ...rateCells(step),
        step.boundBy,
        alternativeCell(step),
      ]),
    ),
  ].join('\n')
}

const rateColumns = ['ms', 'share', 'GFLOP/s', 'GB/s', 'of the roof']

function rateCells({ seconds, share, gigaflopsPerSecond, gigabytesPerSecond, roofShare }: Rates): string[] {
  return [
    (seconds * 1000).toFixed(3),
    `${(100 * share).toFixed(1)}%`,
    gigaflopsPerSecond.toFixed(1),
    gigabytesPerSecond.toFixed(1),
    `${(100 * roofShare).toFixed(0)}%`,
  ]
}
