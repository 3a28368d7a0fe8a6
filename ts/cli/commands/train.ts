import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { disclaimer } from '../../base/disclaimer'
import { JcsError } from '../../base/errors'
import { readWhole } from '../../base/files'
import { makeDirectory, writeFileAtomically } from '../../base/write-files'
import type { Task } from '../../datasets'
import type { ModelSpec } from '../../model/spec'
import { trainingReport } from '../../report'
import { type TrainResult, train } from '../../train'
import type { TrainOptions } from '../../training/options'
import type { PretrainedMatch } from '../../training/pretrained'
import type { TrainSettings } from '../../training/settings'
import {
  addRunOptions,
  addWindowOption,
  datasetOf,
  list,
  number,
  type RuntimeFlags,
  runtimeOf,
  wholeNumber,
} from '../options'
import { formatDuration } from '../progress'
import type { Session } from '../session'
import { decimal, table } from '../table'
import { addTrainSettings, settingsOver } from '../train-settings'

interface Flags extends RuntimeFlags {
  data: string
  folds?: string[]
  validation?: string
  validationFolds?: string[]
  validationFraction?: number
  network: ModelSpec['network']
  variant?: ModelSpec['variant']
  width?: number
  efm: boolean
  aff: boolean
  trunk?: ModelSpec['trunk']
  outputStride?: ModelSpec['outputStride']
  classifier?: string
  backbone?: string[]
  pretrained?: string
  config?: string
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
    .optionsGroup('Network:')
    .requiredOption(
      '-n, --network <name>',
      'res2net50-v1b, res2net101-v1b, jcs-segmentation, jcs-joint, unet, dss, poolnet, egnet',
    )
    .addOption(new Option('--variant <name>').choices(['paper', 'authors']))
    .option('--width <factor>', 'multiplies every channel count', number)
    .option('--no-efm', 'without the enhanced feature module')
    .option('--no-aff', 'without attentive feature fusion')
    .option('--trunk <network>', 'jcs-joint: the classifier whose features are combined')
    .option('--output-stride <n>', 'Res2Net: 16 or 8 for finer activation maps; default 32', wholeNumber)
    .option('--classifier <file>', 'jcs-joint: a trained classifier to start its trunk from')
    .option('--backbone <file...>', 'ImageNet weights of the trunk, .safetensors')
    .option('--pretrained <file>', 'start from the layers that this model, or lesions or lungs, has alike')
    .optionsGroup('Training:')
    .option(
      '--config <file>',
      'JSON with settings as of the API; what neither it nor the command line names is the recipe’s',
    )
  addTrainSettings(command).addHelpText(
    'after',
    `
Examples:
  jcs train segmentation --data folds.csv --folds 1,2,3,4 --validation-folds 5 --network jcs-segmentation --out run/
  jcs train classification --data train.csv --validation val.csv --network res2net50-v1b --recipe scratch --out run/
  jcs train segmentation --data folds.csv --network jcs-segmentation --out run/ --resume run/checkpoint.safetensors

Ctrl-C stops after the current step; the last checkpoint stays. The default recipe is the paper's, which takes days
on a CPU: --recipe scratch and a smaller --width learn something in minutes.`,
  )
  addRunOptions(command).action(async (task: Task, flags: Flags) => {
    const session = sessionFor(flags)
    const { out } = flags
    await makeDirectory(out)
    const options = await toTrainOptions(task, flags)
    const startMs = performance.now()
    const result = await session.follow((controls) => train({ ...options, ...controls }))
    await using model = result.model
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
  const { network, variant, width, efm, aff, trunk, outputStride } = flags
  const config = flags.config === undefined ? {} : await readConfig(flags.config)
  const settings = settingsOver(config, { ...flags })
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
    spec: { network, variant, width, trunk, outputStride, ...(!efm && { efm }), ...(!aff && { aff }) },
    classifier: flags.classifier,
    backbone: flags.backbone,
    pretrained: flags.pretrained,
    checkpoint: { ...settings.checkpoint, directory: flags.out },
    ...(flags.window && { window: flags.window }),
    onBadSample: flags.skipBadSamples ? 'skip' : 'error',
  }
}

async function readConfig(path: string): Promise<TrainSettings> {
  const text = Buffer.from(await readWhole(path, 2 ** 20)).toString('utf8')
  try {
    return JSON.parse(text) as TrainSettings
  } catch (error) {
    throw new JcsError('CORRUPT_FILE', `'${path}' is not JSON: ${(error as Error).message}`, { cause: error })
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
