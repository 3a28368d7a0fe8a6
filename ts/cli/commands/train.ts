import { join } from 'node:path'
import type { Command } from 'commander'
import { disclaimer } from '../../base/disclaimer'
import { makeDirectory, writeFileAtomically } from '../../base/write-files'
import type { Task } from '../../datasets'
import { trainingReport } from '../../report'
import { type TrainResult, train } from '../../train'
import type { TrainOptions } from '../../training/options'
import type { PretrainedMatch } from '../../training/pretrained'
import { isStartedAsRank, joinRanks } from '../../training/ranks'
import {
  addRunOptions,
  addWindowOption,
  datasetOf,
  list,
  number,
  type RuntimeFlags,
  runtimeOf,
} from '../options'
import { formatDuration } from '../progress'
import type { Session } from '../session'
import { decimal, table } from '../table'
import { addTrainingOptions, type TrainingFlags, trainingOf } from '../training-flags'

interface Flags extends RuntimeFlags, TrainingFlags {
  data: string
  folds?: string[]
  validation?: string
  validationFolds?: string[]
  validationFraction?: number
  skipBadSamples?: boolean
  window?: TrainOptions['window']
  out: string
}

export function addTrain(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = program
    .command('train')
    .description('train a classifier or a segmentation network')
    .argument('<task>', "'classification' or 'segmentation'")
    .requiredOption('-d, --data <path>', 'a list file, a CSV file, or folders; see docs/formats.md')
    .requiredOption(
      '-o, --out <directory>',
      'gets model.safetensors, report.html, metrics.json and the checkpoint',
    )
    .optionsGroup('Data:')
    .option(
      '--folds <names>',
      'train on these folds of a CSV with a column `fold`, separated by commas',
      list,
    )
    .option('--validation <path>', 'a dataset to validate on')
    .option('--validation-folds <names>', 'validate on these folds of --validation, or of --data', list)
    .option(
      '--validation-fraction <share>',
      'set this share of --data aside, whole patients at a time',
      number,
    )
    .option('--skip-bad-samples', 'leave out samples that cannot be used, and report them')
  addWindowOption(command, "the model's, of a new one lung; the trained model keeps it")
  addTrainingOptions(command).addHelpText(
    'after',
    `
Examples:
  jcs train segmentation --data folds.csv --folds 1,2,3,4 --validation-folds 5 --network jcs-segmentation --out run/
  jcs train classification --data train.csv --validation val.csv --network res2net50-v1b --recipe scratch --out run/
  jcs train segmentation --data folds.csv --network jcs-segmentation --out run/ --resume run/checkpoint.safetensors
  mpirun -n 4 jcs train segmentation --data folds.csv --network jcs-segmentation --threads 2 --out run/

Ctrl-C stops after the current step; the last checkpoint stays. The default recipe is the paper's, which takes days
on a CPU: --recipe scratch and a smaller --width learn something in minutes. Processes that mpirun starts train one
model together, each on --batch-size samples per step.`,
  )
  addRunOptions(command).action(async (task: Task, flags: Flags) => {
    const session = sessionFor(flags)
    const { out } = flags
    await makeDirectory(out)
    const options = await toTrainOptions(task, flags)
    const distributed = isStartedAsRank()
    if (distributed && (await joinRanks()).rank > 0) session.silence()
    const startMs = performance.now()
    const result = await session.follow((controls) => train({ ...options, ...controls, distributed }))
    await using model = result.model
    if (result.rank > 0) return
    const durationMs = performance.now() - startMs
    await model.save(join(out, 'model.safetensors'))
    await writeFileAtomically(join(out, 'report.html'), trainingReport(result))
    const { metrics, settings, iterations, pretrained, warnings, skipped } = result
    const document = {
      model: join(out, 'model.safetensors'),
      spec: model.spec,
      device: model.device,
      precision: model.precision,
      metrics,
      iterations,
      durationMs,
      settings,
      ...(pretrained && { pretrained }),
      warnings,
      skipped,
    }
    await writeFileAtomically(join(out, 'metrics.json'), session.toJson(document))
    session.warn([...warnings, ...skipped.map(({ message }) => `skipped ${message}`)])
    session.finish(document, describe(result, out, durationMs))
  })
}

async function toTrainOptions(task: Task, flags: Flags): Promise<TrainOptions> {
  const { data, folds, validation, validationFolds, validationFraction } = flags
  const settings = await trainingOf(flags)
  const isValidated = validation !== undefined || validationFolds !== undefined
  return {
    ...settings,
    ...runtimeOf(flags),
    task,
    data: {
      train: datasetOf(data, folds),
      ...(isValidated && { validation: datasetOf(validation ?? data, validationFolds) }),
      validationFraction,
    },
    checkpoint: { ...settings.checkpoint, directory: flags.out },
    ...(flags.window && { window: flags.window }),
    onBadSample: flags.skipBadSamples ? 'skip' : 'error',
  }
}

function describePretrained({ layers, unused }: PretrainedMatch): string {
  const others = layers.filter(({ taken }) => !taken)
  const rows = others.map(({ layer, reason = '' }) => [layer, reason])
  return [
    `started from ${layers.length - others.length} of ${layers.length} layers of the pretrained model, ${unused.length} of its tensors unused`,
    ...(rows.length > 0 ? [table(['layer from the seed', 'because'], rows)] : []),
  ].join('\n')
}

function describe({ metrics, iterations, pretrained }: TrainResult, out: string, durationMs: number): string {
  const rows = Object.entries(metrics).map(([name, value]) => [
    name,
    Number.isInteger(value) && value > 1 ? value : decimal(value),
  ])
  return [
    ...(pretrained ? [describePretrained(pretrained)] : []),
    `trained ${iterations} iterations in ${formatDuration(durationMs)}`,
    ...(rows.length > 0 ? [table(['validation', 'value'], rows)] : ['there was no validation data']),
    `model:  ${join(out, 'model.safetensors')}`,
    `report: ${join(out, 'report.html')}`,
    '',
    `${disclaimer}.`,
  ].join('\n')
}
