import { resolve } from 'node:path'
import type { Command } from 'commander'
import { type DemoResult, runDemo } from '../../demo/run-demo'
import { disclaimer } from '../../disclaimer'
import { addOutputOptions, wholeNumber } from '../options'
import type { Session, SessionOptions } from '../session'
import { decimal, table } from '../table'

interface Flags extends SessionOptions {
  out: string
  seed: number
}

export function addDemo(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = program
    .command('demo')
    .description('train two small networks on synthetic scans and diagnose cases that they did not see')
    .option('-o, --out <directory>', 'where models and reports go', 'jcs-demo')
    .option('--seed <n>', 'of the phantoms and the training', wholeNumber, 0)
  addOutputOptions(command).action(async (flags: Flags) => {
    const session = sessionFor(flags)
    const result = await runDemo({
      seed: flags.seed,
      directory: flags.out,
      follow: (start) => session.follow(start),
      say: (text) => session.say(text),
    })
    session.finish(result, describe(result))
  })
}

function describe({ cases, correctCases, sliceAccuracy, auc, dice, reports }: DemoResult): string {
  const rows = cases.map(({ seed, infected, diagnosis }) => [
    seed,
    infected ? 'infected' : 'uninfected',
    diagnosis.positive ? 'positive' : 'negative',
    `${diagnosis.positiveSlices} of ${diagnosis.totalSlices}`,
    diagnosis.slices.reduce((sum, { segmentation }) => sum + (segmentation?.lesions.length ?? 0), 0),
    infected === diagnosis.positive ? 'right' : 'WRONG',
  ])
  return [
    '',
    table(['synthetic case', 'truth', 'diagnosis', 'positive slices', 'lesions', ''], rows),
    '',
    `${correctCases} of ${cases.length} unseen cases right; slices: accuracy ${decimal(sliceAccuracy)}, AUC ${decimal(auc)}; lesions: Dice ${decimal(dice)}`,
    'The scans are synthetic: these figures say that the software works, nothing about patients.',
    '',
    'Reports to open in a browser:',
    ...reports.map((path) => `  ${resolve(path)}`),
    '',
    `${disclaimer}.`,
  ].join('\n')
}
