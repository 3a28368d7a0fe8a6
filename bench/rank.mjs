// node bench/rank.mjs '{ "task", "spec", "batch", "size", "precision", "steps" }'
//
// Trains on noise with one thread, alone or as one of the processes that mpirun started, and says how many milliseconds a
// step took in the mean, the first ones left out.
import { availableParallelism } from 'node:os'
import { train } from '../dist/index.js'

const { task, spec, batch, size, precision, steps } = JSON.parse(process.argv[2])
const warmups = 3
const samples = Array.from({ length: 8 * batch * availableParallelism() }, (_, index) => ({
  image: {
    data: Uint8Array.from({ length: size * size }, (_, pixel) => (pixel * (2 * index + 7)) % 251),
    width: size,
    height: size,
  },
  label: index % 2,
  mask: {
    data: Uint8Array.from({ length: size * size }, (_, pixel) => Number(pixel % size < 20)),
    width: size,
    height: size,
  },
}))
const ends = []
const { model, rank } = await train({
  task,
  spec,
  data: { train: samples },
  device: 'cpu',
  precision,
  threads: 1,
  loaderThreads: 1,
  iterations: warmups + steps,
  batchSize: batch,
  microBatch: batch,
  inputSize: size,
  augmentation: false,
  batchNorm: 'batch',
  distributed: 'OMPI_COMM_WORLD_RANK' in process.env,
  ...(task === 'classification' && { mixup: { alpha: 0 }, activationLoss: false }),
  onProgress({ phase, iteration }) {
    if (phase === 'train' && iteration >= warmups) ends.push({ iteration, ms: performance.now() })
  },
})
const [first, last] = [ends[0], ends.at(-1)]
if (rank === 0) process.stdout.write(`${(last.ms - first.ms) / (last.iteration - first.iteration)}\n`)
await model.dispose()
