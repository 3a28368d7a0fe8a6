import { type Command, InvalidArgumentError } from 'commander'
import { loadModel } from '../../model'
import { wholeNumber } from '../options'
import { Session } from '../session'

interface Flags {
  out: string
  batch: number | 'dynamic'
  height?: number
  width?: number
  int8: boolean
  json?: boolean
}

export function addExport(program: Command): void {
  program
    .command('export')
    .description('write a model as ONNX (input `image`, normalised N×3×H×W; outputs as of Model.forward)')
    .argument('<model>', 'a .safetensors file of this library')
    .requiredOption('-o, --out <file>', 'the .onnx file to write')
    .option('--batch <n>', "images per run, or 'dynamic'", batchSize, 1)
    .option('--height <pixels>', "of the input; default: the model's", wholeNumber)
    .option('--width <pixels>', "of the input; default: the model's", wholeNumber)
    .option('--no-int8', 'of a quantised model: with all layers in float32')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  jcs export classifier.safetensors --out classifier.onnx
  jcs export segmenter.safetensors --out segmenter.onnx --batch dynamic --height 512 --width 512`,
    )
    .action(async (path: string, { out, batch, height, width, int8, json = false }: Flags) => {
      await using model = await loadModel(path)
      await model.exportOnnx(out, { batch, height, width, ...(!int8 && { int8 }) })
      const { spec, inputSize, normalization } = model
      const size = { height: height ?? inputSize, width: width ?? inputSize }
      new Session({ json }).finish(
        { file: out, spec, batch, ...size, normalization },
        `wrote ${out}: ${spec.network}, batch ${batch}, ${size.height} x ${size.width}`,
      )
    })
}

function batchSize(text: string): number | 'dynamic' {
  if (text === 'dynamic') return text
  try {
    return wholeNumber(text)
  } catch {
    throw new InvalidArgumentError("expected a whole number or 'dynamic'.")
  }
}
