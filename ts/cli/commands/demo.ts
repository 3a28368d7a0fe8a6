import { resolve } from 'node:path'
import type { Command } from 'commander'
import { disclaimer } from '../../base/disclaimer'
import { type DemoResult, runDemo } from '../../demo/run-demo'
import { exitCodes } from '../exit-codes'
import { addOutputOptions, wholeNumber } from '../options'
import { formatDuration } from '../progress'
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
    if (!result.passed) process.exitCode = exitCodes.failed
  })
}

function describe(result: DemoResult): string {
  const rows = result.cases.map((entry) => [
    entry.name,
    entry.infected ? 'infected' : 'uninfected',
    entry.positive ? 'positive' : 'negative',
    `${entry.positiveSlices} of ${entry.totalSlices}`,
    decimal(entry.lesionDice),
    formatDuration(entry.timeMs),
    entry.correct ? 'right' : 'WRONG',
  ])
  const { accuracy, auc } = result.classification
  const correct = result.cases.filter((entry) => entry.correct).length
  return [
    '',
    table(['synthetic case', 'truth', 'verdict', 'positive slices', 'lesion Dice', 'time', ''], rows),
    '',
    `${correct} of ${rows.length} unseen cases right in ${formatDuration(result.timing.totalMs)}; a case is positive with more than ${result.sliceThreshold} positive slices`,
    `Single unseen slices: accuracy ${decimal(accuracy)}, AUC ${decimal(auc)}; lesions: Dice ${decimal(result.segmentation.dice)}`,
    ...describeDicom(result),
    'The scans are synthetic: these figures say that the software works, nothing about patients.',
    '',
    'Reports to open in a browser:',
    ...[
      ...result.cases.map(({ report }) => report),
      ...(result.dicom ? [result.dicom.report] : []),
      ...result.reports,
    ].map((path) => `  ${resolve(path)}`),
    '',
    `${disclaimer}.`,
  ].join('\n')
}

function describeDicom({ dicom }: DemoResult): string[] {
  if (!dicom) return []
  const volumes = [
    ['lungs', dicom.lungVolumeMl, dicom.trueLungVolumeMl],
    ['lesions', dicom.lesionVolumeMl, dicom.trueLesionVolumeMl],
  ] as const
  return [
    '',
    `${dicom.directory} by the models lesions and lungs, which were trained on patients, in ${formatDuration(dicom.timeMs)}:`,
    table(
      ['from DICOM', 'measured, ml', 'drawn, ml'],
      volumes.map(([name, measured, drawn]) => [name, Math.round(measured), Math.round(drawn)]),
    ),
    `The same on your own scans: jcs diagnose ${dicom.directory} --slice-threshold 20mm`,
    '',
  ]
}
