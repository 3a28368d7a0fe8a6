import { join } from 'node:path'
import type { Command } from 'commander'
import { throwIfAborted } from '../../base/abort'
import { disclaimer } from '../../base/disclaimer'
import { makeDirectory, writeFileAtomically } from '../../base/write-files'
import { classify } from '../../classify'
import { loadModel } from '../../model'
import { openCase } from '../../open-case'
import { overlayPng } from '../../report'
import { fileNameFor } from '../file-name'
import {
  addImageOptions,
  addRunOptions,
  addTestTimeOptions,
  type ImageFlags,
  imageOptionsOf,
  number,
  type RuntimeFlags,
  runtimeOf,
  type TestTimeFlags,
  testTimeOf,
  wholeNumber,
} from '../options'
import type { Session } from '../session'
import { decimal, table } from '../table'

interface Flags extends RuntimeFlags, ImageFlags, TestTimeFlags {
  model: string
  threshold?: number
  batchSize?: number
  explain?: boolean
  out?: string
}

export function addClassify(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = program
    .command('classify')
    .description('classify slices as infected or not')
    .argument('<images...>', 'DICOM, NIfTI, PNG, JPEG or TIFF files, or directories of them')
    .requiredOption('-m, --model <file>', 'a trained classifier, .safetensors')
    .option('--threshold <p>', 'a slice is positive above this probability', number, 0.5)
    .option('--batch-size <n>', 'slices per run of the network', wholeNumber)
    .option('--explain', 'activation maps as well; they are written to --out')
    .option('-o, --out <directory>', 'write classification.json, and with --explain a picture of every slice')
    .addHelpText(
      'after',
      `
Examples:
  jcs classify slice.png --model classifier.safetensors
  jcs classify case/ --model classifier.safetensors --explain --out result/
  jcs classify case/ --model classifier.safetensors --json | jq '.[] | select(.positive)'`,
    )
  addTestTimeOptions(command)
  addRunOptions(addImageOptions(command)).action(async (paths: string[], flags: Flags) => {
    const session = sessionFor(flags)
    const { threshold, batchSize, out, explain = false } = flags
    using scan = openCase(paths, imageOptionsOf(flags))
    await using model = await loadModel(flags.model, runtimeOf(flags))
    if (out) await makeDirectory(out)
    const results = await session.follow((controls) =>
      classify(model, scan, {
        threshold,
        batchSize,
        explain: explain && out !== undefined,
        testTimeAugmentation: testTimeOf(flags),
        ...controls,
      }),
    )
    const document = results.map(({ probability, positive }, index) => ({
      image: scan.names[index]!,
      probability,
      positive,
    }))
    if (out) {
      if (explain) {
        for (const [index, { activationMap }] of results.entries()) {
          throwIfAborted(session.signal)
          const picture = await overlayPng(await scan.image(index), {
            ...(activationMap && { activationMap }),
          })
          const name = fileNameFor(scan.names[index]!, index, '_activation.png')
          await writeFileAtomically(join(out, name), picture)
        }
      }
      await writeFileAtomically(join(out, 'classification.json'), session.toJson(document))
    }
    const rows = document.map(({ image, probability, positive }) => [
      image,
      decimal(probability),
      positive ? 'positive' : 'negative',
    ])
    session.warn(scan.warnings)
    session.finish(document, `${table(['slice', 'probability', 'result'], rows)}\n\n${disclaimer}.`)
  })
}
