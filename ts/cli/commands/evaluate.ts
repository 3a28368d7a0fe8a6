import type { Command } from 'commander'
import { disclaimer } from '../../base/disclaimer'
import { evaluate, type Metrics } from '../../evaluate'
import { loadModel } from '../../model'
import {
  addDatasetOptions,
  addRunOptions,
  addTestTimeOptions,
  type DatasetFlags,
  datasetOf,
  datasetOptionsOf,
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

interface Flags extends RuntimeFlags, DatasetFlags, TestTimeFlags {
  model: string
  threshold?: number
  sliceThresholds?: number[]
  resamples?: number
}

export function addEvaluate(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = program
    .command('evaluate')
    .description('score a model on a dataset')
    .argument('<dataset>', 'a list file, a CSV file, or folders; see docs/formats.md')
    .requiredOption('-m, --model <file>', 'a trained model, .safetensors')
    .option('--threshold <p>', 'classification: positive above this probability', number, 0.5)
    .option('--slice-thresholds <n,n>', 'classification with patients: thresholds to try', wholeNumbers)
    .option('--resamples <n>', 'of the intervals: draws of patients; default 1000, 0 for none', wholeNumber)
    .addHelpText(
      'after',
      `
Examples:
  jcs evaluate folds.csv --folds 5 --model segmenter.safetensors
  jcs evaluate val.csv --model classifier.safetensors --slice-thresholds 0,1,2 --json`,
    )
  addTestTimeOptions(addDatasetOptions(command))
  addRunOptions(command).action(async (path: string, flags: Flags) => {
    const session = sessionFor(flags)
    const { folds, threshold, sliceThresholds, resamples } = flags
    await using model = await loadModel(flags.model, runtimeOf(flags))
    const result = await session.follow((controls) =>
      evaluate(model, datasetOf(path, folds), {
        ...(model.task === 'classification' && { threshold, sliceThresholds }),
        bootstrap: { resamples },
        testTimeAugmentation: testTimeOf(flags),
        ...datasetOptionsOf(flags),
        ...controls,
      }),
    )
    session.warn([...result.warnings, ...result.skipped.map(({ message }) => `skipped ${message}`)])
    session.finish(result, `${describe(result)}\n\n${disclaimer}.`)
  })
}

function describe(result: Metrics): string {
  const scores = Object.entries(result).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number' && entry[0] !== 'samples',
  )
  const counts = new Set(['images', 'emptyTruth'])
  const rows = scores.map(([name, value]) => {
    const interval = result.intervals[name]
    return [
      name,
      counts.has(name) ? value : decimal(value),
      interval ? `${decimal(interval[0])} to ${decimal(interval[1])}` : '–',
    ]
  })
  const parts = [`${result.samples} samples`, table(['metric', 'value', '95 % over patients'], rows)]
  if (result.task === 'classification') {
    const bins = result.reliability.filter(({ samples }) => samples > 0)
    parts.push(
      '\nwhat probabilities of infection mean',
      table(
        ['probability', 'samples', 'mean', 'infected'],
        bins.map(({ low, high, samples, meanProbability, positives }) => [
          `${low.toFixed(2)} to ${high.toFixed(2)}`,
          samples,
          decimal(meanProbability),
          decimal(positives),
        ]),
      ),
    )
  }
  if (result.task === 'classification' && result.explanation) {
    const { slices, pointingGame, pointingGameAtRandom, massInLesions, massInLesionsAtRandom } =
      result.explanation
    parts.push(
      `\nactivation maps of ${slices} slices with lesions, beside a random point in the lungs`,
      table(
        ['explanation', 'map', 'random'],
        [
          ['maximum in or near a lesion', decimal(pointingGame), decimal(pointingGameAtRandom)],
          ['share inside lesions', decimal(massInLesions), decimal(massInLesionsAtRandom)],
        ],
      ),
    )
  }
  if (result.task === 'classification' && result.patients) {
    const { infected, uninfected, thresholds } = result.patients
    parts.push(
      `\n${infected} infected and ${uninfected} uninfected cases; positive with more positive slices than the threshold`,
      table(
        ['threshold', 'sensitivity', 'specificity', 'accuracy'],
        thresholds.map(({ sliceThreshold, intervals, ...scores }) => [
          sliceThreshold,
          ...(['sensitivity', 'specificity', 'accuracy'] as const).map((name) =>
            withInterval(scores[name], intervals[name]),
          ),
        ]),
      ),
    )
  }
  return parts.join('\n')
}

function withInterval(value: number, interval: [number, number] | undefined): string {
  return interval ? `${decimal(value)} (${decimal(interval[0])} to ${decimal(interval[1])})` : decimal(value)
}
