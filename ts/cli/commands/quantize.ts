import type { Command } from 'commander'
import { disclaimer } from '../../base/disclaimer'
import { loadModel } from '../../model'
import { openCase } from '../../open-case'
import { type Quantization, quantize } from '../../quantize'
import {
  addImageOptions,
  addRunOptions,
  type ImageFlags,
  imageOptionsOf,
  number,
  type RuntimeFlags,
  runtimeOf,
  wholeNumber,
} from '../options'
import type { Session } from '../session'
import { decimal, table } from '../table'

interface Flags extends RuntimeFlags, ImageFlags {
  model: string
  out: string
  largestChange?: number
  batchSize?: number
}

export function addQuantize(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = program
    .command('quantize')
    .description('let a model compute in 8 bits, where results stay what they are on some slices')
    .argument('<images...>', 'a handful of slices: DICOM, NIfTI, PNG, JPEG or TIFF files, or directories')
    .requiredOption('-m, --model <file>', 'a trained model, .safetensors')
    .requiredOption('-o, --out <file>', 'where it goes; may be the same file')
    .option(
      '--largest-change <c>',
      'of a probability in the mean, or 1 − Dice of masks; default 0.01',
      number,
    )
    .option('--batch-size <n>', 'slices per run of the network', wholeNumber)
    .addHelpText(
      'after',
      `
Examples:
  jcs quantize case/ --model classifier.safetensors --out classifier-int8.safetensors
  jcs classify case/ --model classifier-int8.safetensors`,
    )
  addRunOptions(addImageOptions(command)).action(async (paths: string[], flags: Flags) => {
    const session = sessionFor(flags)
    const { out, largestChange, batchSize } = flags
    using scan = openCase(paths, imageOptionsOf(flags))
    await using model = await loadModel(flags.model, runtimeOf(flags))
    const result = await session.follow((controls) =>
      quantize(model, scan, { largestChange, batchSize, ...controls }),
    )
    await model.save(out)
    session.warn(scan.warnings)
    session.finish({ file: out, ...result }, `${describe(result)}\nwrote ${out}\n\n${disclaimer}.`)
  })
}

function describe({ layers, change, changeOfAll }: Quantization): string {
  const left = layers.filter(({ leftFor }) => leftFor)
  const lines = [
    `${layers.length - left.length} of ${layers.length} layers in 8 bits, which moves results by ${decimal(change)}; all would by ${decimal(changeOfAll)}`,
  ]
  if (left.length > 0)
    lines.push(
      table(
        ['left as it was', 'for', 'alone moves'],
        left.map(({ name, leftFor = '', change }) => [
          name,
          leftFor,
          change === undefined ? '' : decimal(change),
        ]),
      ),
    )
  return lines.join('\n')
}
