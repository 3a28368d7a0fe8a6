import type { Command } from 'commander'
import { loadModel, type Profile } from '../../model'
import { addRuntimeOptions, type RuntimeFlags, runtimeOf, wholeNumber } from '../options'
import { Session } from '../session'
import { table } from '../table'

interface Flags extends RuntimeFlags {
  batch: number
  height?: number
  width?: number
  top: number
}

export function addProfile(program: Command): void {
  const command = program
    .command('profile')
    .description('time every step of a model’s inference program')
    .argument('<model>', 'a .safetensors file of this library')
    .option('--batch <n>', 'images per run', wholeNumber, 1)
    .option('--height <pixels>', "default: the model's", wholeNumber)
    .option('--width <pixels>', "default: the model's", wholeNumber)
    .option('--top <n>', 'steps to show, the slowest first', wholeNumber, 20)
    .option('--json', 'print all steps as JSON')
  addRuntimeOptions(command).action(async (path: string, flags: Flags) => {
    await using model = await loadModel(path, runtimeOf(flags))
    const { batch, height, width, top } = flags
    const profile = await model.profile({ batch, height, width })
    const { device, precision, spec } = model
    const title = `${spec.network} on ${device}, ${precision}`
    new Session(flags).finish({ device, precision, spec, ...profile }, `${title}\n${describe(profile, top)}`)
  })
}

function describe({ steps, arenaBytes, persistentBytes, copiedBytes }: Profile, top: number): string {
  const totalSeconds = steps.reduce((sum, { seconds }) => sum + seconds, 0)
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
  const slowest = [...steps].sort((a, b) => b.seconds - a.seconds).slice(0, top)
  const rows = slowest.map(({ scope, op, output, dtype, implementation, seconds, flops }) => [
    scope,
    op,
    output,
    dtype,
    implementation,
    (seconds * 1000).toFixed(3),
    `${((100 * seconds) / totalSeconds).toFixed(1)}%`,
    (flops / seconds / 1e9).toFixed(1),
  ])
  return [
    `${steps.length} steps, ${(totalSeconds * 1000).toFixed(1)} ms; intermediate values ${mebibytes(arenaBytes)}, prepared weights ${mebibytes(persistentBytes)}, copied ${mebibytes(copiedBytes)}`,
    table(['layer', 'op', 'output', 'type', 'kernel', 'ms', 'share', 'GFLOP/s'], rows),
  ].join('\n')
}
