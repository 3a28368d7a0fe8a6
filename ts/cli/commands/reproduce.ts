import { type Command, Option } from 'commander'
import { disclaimer } from '../../base/disclaimer'
import { reproduce } from '../../reproduce'
import { type BudgetName, budgets } from '../../reproduction/budget'
import { type Experiment, experiments } from '../../reproduction/experiments'
import type { Reproduction } from '../../reproduction/result'
import { sectionsOf } from '../../reproduction/sections'
import { addRunOptions, number, type RuntimeFlags, runtimeOf, wholeNumber, wholeNumbers } from '../options'
import type { Session } from '../session'
import { table } from '../table'

interface Flags extends RuntimeFlags {
  data?: string
  uninfected?: string
  budget?: BudgetName
  width?: number
  inputSize?: number
  epochs?: number
  batchSize?: number
  seeds?: number[]
  out: string
}

export function addReproduce(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = program
    .command('reproduce')
    .description(
      'make tables and figures of the paper again: segmenters on data of your own, classifiers on phantoms',
    )
    .argument('<experiments...>', `${experiments.join(', ')}, or all`)
    .option('-d, --data <path>', 'slices with masks: a CSV with folds, or others of docs/formats.md')
    .requiredOption('-o, --out <directory>', 'gets the results, and every training; given again, it goes on')
    .option('--uninfected <path>', 'slices labelled 0, for the classifier whose features JCS combines')
    .addOption(
      new Option(
        '--budget <name>',
        'quick: an hour or so on two cores; full: as published, for a GPU',
      ).choices(Object.keys(budgets)),
    )
    .optionsGroup('Instead of the budget’s:')
    .option('--width <factor>', 'of the channels of every network', number)
    .option('--input-size <n>', 'height and width that slices are brought to, pixels', wholeNumber)
    .option('--epochs <n>', 'how often every slice is seen', wholeNumber)
    .option('--batch-size <n>', 'slices per step', wholeNumber)
    .option('--seeds <n,n>', 'each trains every network in every fold', wholeNumbers)
    .addHelpText(
      'after',
      `
Examples:
  jcs reproduce all --data folds.csv --budget quick --out runs/paper
  jcs reproduce table-2 table-4 figure-9 --out runs/phantoms
  jcs reproduce table-5 table-6 --data folds.csv --seeds 0,1,2,3,4 --out runs/ablation

Writes results.json, results.md and results.html. Ctrl-C stops after the current step; the same command goes on.`,
    )
  addRunOptions(command).action(async (wanted: (Experiment | 'all')[], flags: Flags) => {
    const session = sessionFor(flags)
    const { data, uninfected, budget, width, inputSize, epochs, batchSize, seeds, out } = flags
    const result = await session.follow((controls) =>
      reproduce({
        ...runtimeOf(flags),
        experiments: wanted.includes('all') ? 'all' : (wanted as Experiment[]),
        data,
        uninfected,
        budget,
        settings: { width, inputSize, epochs, batchSize, seeds },
        directory: out,
        ...controls,
      }),
    )
    session.warn(result.warnings)
    session.finish(result, describe(result))
  })
}

function describe(result: Reproduction): string {
  return [
    ...sectionsOf(result).flatMap(({ title, sentences, header, rows }) => [
      title,
      ...sentences,
      '',
      table(header, rows),
      '',
    ]),
    ...result.caveats,
    '',
    ...Object.values(result.files),
    '',
    `${disclaimer}.`,
  ].join('\n')
}
