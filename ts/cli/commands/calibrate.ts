import type { Command } from 'commander'
import { disclaimer } from '../../base/disclaimer'
import { type Calibration, calibrate } from '../../calibrate'
import { loadModel } from '../../model'
import type { DecodingOptions } from '../../run/options'
import {
  addRunOptions,
  addWindowOption,
  datasetOf,
  list,
  type RuntimeFlags,
  runtimeOf,
  wholeNumber,
} from '../options'
import type { Session } from '../session'
import { decimal, table } from '../table'

interface Flags extends RuntimeFlags {
  model: string
  out: string
  folds?: string[]
  batchSize?: number
  skipBadSamples?: boolean
  window?: DecodingOptions['window']
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
    .option('--folds <names>', 'only these folds of a CSV with a column `fold`, separated by commas', list)
    .option('--batch-size <n>', 'images per run of the network', wholeNumber)
    .option('--skip-bad-samples', 'leave out samples that cannot be used, and report them')
    .addHelpText(
      'after',
      `
Examples:
  jcs calibrate val.csv --model classifier.safetensors --out classifier.safetensors`,
    )
  addRunOptions(addWindowOption(command, "the model's")).action(async (path: string, flags: Flags) => {
    const session = sessionFor(flags)
    const { out, folds, batchSize, window, skipBadSamples = false } = flags
    await using model = await loadModel(flags.model, runtimeOf(flags))
    const result = await session.follow((controls) =>
      calibrate(model, datasetOf(path, folds), {
        batchSize,
        window,
        onBadSample: skipBadSamples ? 'skip' : 'error',
        ...controls,
      }),
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
