// node inputs.mjs DIRECTORY: small models and a case of four slices, for write.mjs and the command line.
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import sharp from 'sharp'
import { createModel, generateCase } from '../../dist/index.js'

const [directory] = process.argv.slice(2)
mkdirSync(path.join(directory, 'case'), { recursive: true })
for (const [name, network] of [
  ['classifier', 'res2net50-v1b'],
  ['segmenter', 'jcs-segmentation'],
]) {
  const model = await createModel({ network, width: 0.05 }, { seed: 1 })
  await model.save(path.join(directory, `${name}.safetensors`))
  await model.dispose()
}
for (const [index, { pixels }] of generateCase(1, { infected: true, slices: 4, size: 64 }).slices.entries()) {
  const { data, width, height } = pixels
  const picture = sharp(data, { raw: { width, height, channels: 1 } })
  await picture.png().toFile(path.join(directory, 'case', `${index}.png`))
}
