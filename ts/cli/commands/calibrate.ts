import type { Command } from 'commander'
import { disclaimer } from '../../base/disclaimer'
import { type Calibration, calibrate } from '../../calibrate'
import { loadModel } from '../../model'
import {
  addDatasetOptions,
  addRunOptions,
  type DatasetFlags,
  datasetOf,
  datasetOptionsOf,
  type RuntimeFlags,
  runtimeOf,
} from '../options'
import type { Session } from '../session'
import { decimal, table } from '../table'

interface Flags extends RuntimeFlags, DatasetFlags {
  model: string
  out: string
}

export function addCalibrate(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = program
    .command('calibrate')
    .description(
      "fit a classifier's temperature to a validation set, so that its probabilities mean something",
    )
    .argument('<dataset>', 'a list file, a CSV file, or folders; see docs/formats.md')
    .requiredOption('-m, --model <file>', 'a trained classifier, .safetensors')
    .requiredOption('-o, --out <file>', 'where it goes with its temperature; may be the same file')
    .addHelpText(
      'after',
      `
Examples:
  jcs calibrate val.csv --model classifier.safetensors --out classifier.safetensors`,
    )
  addRunOptions(addDatasetOptions(command)).action(async (path: string, flags: Flags) => {
    const session = sessionFor(flags)
    const { out, folds } = flags
    await using model = await loadModel(flags.model, runtimeOf(flags))
    const result = await session.follow((controls) =>
      calibrate(model, datasetOf(path, folds), { ...datasetOptionsOf(flags), ...controls }),
    )
    await model.save(out)
    session.warn([...result.warnings, ...result.skipped.map(({ message }) => `skipped ${message}`)])
    session.finish({ file: out, ...result }, `${describe(result)}\nwrote ${out}\n\n${disclaimer}.`)
  })
}

function describe({ temperature, labelled, before, after }: Calibration): string {
  const row = (name: string, score: 'negativeLogLikelihood' | 'ece') => [
    name,
    decimal(before[score]),
    decimal(after[score]),
  ]
  return [
    `temperature ${decimal(temperature)}, fitted to ${labelled} samples`,
    table(
      ['of these samples', 'before', 'after'],
      [row('negative log-likelihood', 'negativeLogLikelihood'), row('calibration error (ece)', 'ece')],
    ),
  ].join('\n')
}
