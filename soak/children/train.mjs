// node train.mjs DIRECTORY ITERATIONS: trains a small network with a checkpoint after every step, and goes on with the one
// that is there. Says `training` when it begins.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { generateCase, train } from '../../dist/index.js'

const [directory, iterations] = process.argv.slice(2)
const slices = [true, false].flatMap((infected) => generateCase(3, { infected, slices: 6, size: 64 }).slices)
const checkpoint = path.join(directory, 'checkpoint.safetensors')
console.log('training')
await train({
  task: 'classification',
  spec: { network: 'res2net50-v1b', width: 0.05 },
  data: { train: slices.map(({ pixels, infected }) => ({ image: pixels, label: Number(infected) })) },
  device: 'cpu',
  recipe: 'scratch',
  iterations: Number(iterations),
  batchSize: 4,
  inputSize: 64,
  loaderThreads: 2,
  ema: { decay: 0.9 },
  seed: 7,
  checkpoint: { directory, everyIterations: 1 },
  ...(existsSync(checkpoint) && { resume: checkpoint }),
})
console.log('done')
