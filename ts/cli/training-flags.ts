import { type Command, Option } from 'commander'
import { readJsonObject } from '../base/json'
import type { ModelSpec } from '../model/spec'
import type { TrainOptions } from '../training/options'
import type { TrainSettings } from '../training/settings'
import { number, wholeNumber } from './options'
import { addTrainSettings, settingsOver } from './train-settings'

/** Which network is trained, from which weights, and how. */
export interface TrainingFlags {
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
}

export function addTrainingOptions(command: Command, without?: readonly string[]): Command {
  command
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
  return addTrainSettings(command, without)
}

type NetworkAndSettings = TrainSettings &
  Pick<TrainOptions, 'spec' | 'classifier' | 'backbone' | 'pretrained'>

export async function trainingOf(flags: TrainingFlags): Promise<NetworkAndSettings> {
  const { network, variant, width, efm, aff, trunk, outputStride } = flags
  const config = flags.config === undefined ? {} : await readJsonObject(flags.config, 2 ** 20)
  return {
    ...settingsOver(config, { ...flags }),
    spec: { network, variant, width, trunk, outputStride, ...(!efm && { efm }), ...(!aff && { aff }) },
    classifier: flags.classifier,
    backbone: flags.backbone,
    pretrained: flags.pretrained,
  }
}
