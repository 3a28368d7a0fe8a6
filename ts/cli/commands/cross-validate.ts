import { join } from 'node:path'
import type { Command } from 'commander'
import { disclaimer } from '../../base/disclaimer'
import { writeFileAtomically } from '../../base/write-files'
import { type CrossValidation, crossValidate } from '../../cross-validate'
import type { Task } from '../../datasets'
import type { TrainOptions } from '../../training/options'
import {
  addRunOptions,
  addTestTimeOptions,
  addWindowOption,
  number,
  type RuntimeFlags,
  runtimeOf,
  type TestTimeFlags,
  testTimeOf,
  wholeNumber,
  wholeNumbers,
} from '../options'
import type { Session } from '../session'
import { decimal, table } from '../table'
import { addTrainingOptions, type TrainingFlags, trainingOf } from '../training-flags'

interface Flags extends RuntimeFlags, TrainingFlags, TestTimeFlags {
  data: string
  folds?: number
  foldSeed?: number
  seeds?: number[]
  validationFraction?: number
  sliceThresholds?: number[]
  skipBadSamples?: boolean
  window?: TrainOptions['window']
  out: string
}

export function addCrossValidate(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = program
    .command('cross-validate')
    .description('train on all folds but one and score on that one, for every fold and seed')
    .argument('<task>', "'classification' or 'segmentation'")
    .requiredOption('-d, --data <path>', 'a list file, a CSV file, or folders; see docs/formats.md')
    .requiredOption(
      '-o, --out <directory>',
      'gets a folder for every training and cross-validation.json; given again, it goes on',
    )
    .optionsGroup('Data:')
    .option(
      '--folds <n>',
      'so many folds of whole patients; default the column `fold` of a CSV, else 5',
      wholeNumber,
    )
    .option('--fold-seed <n>', 'decides which patients share a fold', wholeNumber)
    .option('--seeds <n,n>', 'each trains a network for every fold; default 0', wholeNumbers)
    .option(
      '--validation-fraction <share>',
      'set this share of what is trained on aside to validate on; default 0.2 with --best-metric',
      number,
    )
    .option('--skip-bad-samples', 'leave out samples that cannot be used, and report them')
  addWindowOption(command, "the models', lung; the trained models keep it")
    .optionsGroup('Scoring:')
    .option('--slice-thresholds <n,n>', 'classification with patients: thresholds to try', wholeNumbers)
  addTestTimeOptions(command)
  addTrainingOptions(command, ['seed', 'resume']).addHelpText(
    'after',
    `
Examples:
  jcs cross-validate segmentation --data folds.csv --network jcs-segmentation --recipe scratch --out runs/
  jcs cross-validate classification --data train.csv --folds 5 --seeds 1,2,3 --network res2net50-v1b --out runs/

Ctrl-C stops after the current step. The same command goes on: what is through is not done again, and the training
that ran goes on from its checkpoint.`,
  )
  addRunOptions(command).action(async (task: Task, flags: Flags) => {
    const session = sessionFor(flags)
    const { data, folds, foldSeed, seeds, validationFraction, sliceThresholds, window, out } = flags
    const settings = await trainingOf(flags)
    const result = await session.follow((controls) =>
      crossValidate({
        ...settings,
        ...runtimeOf(flags),
        task,
        data,
        folds,
        foldSeed,
        seeds,
        validationFraction,
        ...(window && { window }),
        onBadSample: flags.skipBadSamples ? 'skip' : 'error',
        evaluation: {
          testTimeAugmentation: testTimeOf(flags),
          ...(sliceThresholds && { sliceThresholds }),
        },
        directory: out,
        ...controls,
      }),
    )
    const file = join(out, 'cross-validation.json')
    await writeFileAtomically(file, session.toJson(result))
    session.warn([...result.warnings, ...result.skipped.map(({ message }) => `skipped ${message}`)])
    session.finish(result, `${describe(result)}\n\n${file}\n\n${disclaimer}.`)
  })
}

function describe({ runs, metrics }: CrossValidation): string {
  const shown = Object.keys(metrics)
  const rows = shown.map((name) => {
    const { mean, interval, betweenSeeds, betweenFolds } = metrics[name]!
    return [
      name,
      decimal(mean),
      interval ? `${decimal(interval[0])} to ${decimal(interval[1])}` : '–',
      betweenSeeds === undefined ? '–' : decimal(betweenSeeds),
      decimal(betweenFolds),
    ]
  })
  const principal = ['dice', 'auc', 'accuracy', 'mIoU'].filter((name) => shown.includes(name))
  return [
    table(['metric', 'mean', '95 % over patients', '± between seeds', '± between folds'], rows),
    '',
    table(
      ['fold', 'seed', 'samples', 'iterations', ...principal],
      runs.map(({ fold, seed, samples, iterations, metrics }) => [
        fold,
        seed,
        samples,
        iterations,
        ...principal.map((name) => decimal(metrics[name]!)),
      ]),
    ),
  ].join('\n')
}
