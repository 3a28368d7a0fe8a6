// node work.mjs KIND AFTER_MS: is at work, training or classifying, when it exits with code 3.
import { classify, createModel, generateCase, train } from '../../dist/index.js'

const [kind, afterMs] = process.argv.slice(2)
const spec = { network: 'res2net50-v1b', width: 0.125 }
const { slices } = generateCase(1, { infected: true, slices: 8, size: 64 })
setTimeout(() => process.exit(3), Number(afterMs))
if (kind === 'train') {
  const samples = slices.map(({ pixels }, index) => ({ image: pixels, label: index % 2 }))
  await train({
    task: 'classification',
    spec,
    data: { train: samples },
    recipe: 'scratch',
    batchSize: 4,
    inputSize: 64,
    iterations: 100_000,
  })
} else {
  const model = await createModel(spec)
  const pixels = slices.map((slice) => slice.pixels)
  // Batches of another size need another program: preparing one is work, too.
  for (let batchSize = 1; ; batchSize = 1 + (batchSize % pixels.length))
    await classify(model, pixels, { batchSize })
}
