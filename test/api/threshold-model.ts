import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createModel, loadModel, type Model } from '../../ts/index'

interface Header {
  __metadata__: { jcs: string }
  [name: string]: { data_offsets: [number, number] } | { jcs: string }
}

/** What lies through the default window on the network's own scale: (v − low) / width, then ImageNet's first channel. */
const normalised = (hu: number) => ((hu + 1350) / 1500 - 0.485) / 0.229

/**
 * A `unet` whose outcome is known: pixels above `hu`, or with `below` under it, are segmented, at the input's size. All
 * its weights are zero but for the way of the first channel through the topmost skip connection.
 */
export async function thresholdModel(
  directory: string,
  hu: number,
  { below = false, inputSize = 64, minLesionAreaMm2 = 0 } = {},
): Promise<Model> {
  const path = join(directory, `threshold-${below ? 'below' : 'above'}-${hu}.safetensors`)
  await using blank = await createModel({ network: 'unet', width: 0.02 }, { device: 'cpu' })
  await blank.save(path)
  const file = readFileSync(path)
  const headerLength = Number(file.readBigUInt64LE(0))
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Header
  const floats = (name: string): Float32Array => {
    const [begin, end] = (header[name] as { data_offsets: [number, number] }).data_offsets
    const bytes = file.subarray(8 + headerLength + begin, 8 + headerLength + end)
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  }
  for (const { name } of blank.parameters()) floats(name).fill(name.endsWith('running_var') ? 1 : 0)
  const centre = 4 // of 3 × 3, first channel to first channel
  for (const layer of ['inc', 'up4.conv'])
    for (const convolution of [0, 3]) {
      floats(`${layer}.double_conv.${convolution}.weight`)[centre] = 1
      floats(`${layer}.double_conv.${convolution + 1}.weight`)[0] = 1
    }
  const lift = 10 // keeps what is below zero from ReLU
  floats('inc.double_conv.1.bias')[0] = lift
  const slope = below ? -200 : 200
  floats('outc.conv.weight')[0] = slope
  floats('outc.conv.bias')[0] = -slope * (normalised(hu) + lift)

  const jcs = { ...JSON.parse(header.__metadata__.jcs), inputSize, minLesionAreaMm2 }
  header.__metadata__.jcs = JSON.stringify(jcs)
  const text = Buffer.from(JSON.stringify(header))
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')])
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  writeFileSync(path, Buffer.concat([length, padded, file.subarray(8 + headerLength)]))
  return loadModel(path, { device: 'cpu', precision: 'fp32' })
}
