import { train } from 'jcs-ct'
import { noiseSamples } from './noise-samples'

/**
 * Child process of resume.test.ts: trains on seeded noise with augmentation, mixing, balanced sampling, averaged weights, the best of
 * them kept, and four loader threads.
 * Arguments: checkpoint directory, iterations, checkpoint to resume or '-', iteration after which the process is killed
 * the hard way or 0.
 */
const [directory = '', iterations = '', resume = '-', killAfter = '0'] = process.argv.slice(2)

const samples = noiseSamples(10, 40)

const run = train({
  task: 'classification',
  spec: { network: 'res2net50-v1b', width: 0.05 },
  data: { train: samples, validation: samples.slice(0, 4) },
  device: 'cpu',
  recipe: 'scratch',
  iterations: Number(iterations),
  // The schedule must not depend on the length of the run, which is shorter the first time.
  schedule: { name: 'constant', learningRate: 0.01, warmupIterations: 0 },
  batchSize: 4,
  inputSize: 40,
  mixup: { alpha: 0.5 },
  activationLoss: true,
  loaderThreads: 4,
  optimizer: { name: 'adamw', weightDecay: 0.01, maxGradientNorm: 1 },
  ema: { decay: 0.9 },
  best: { metric: 'auc', patience: 100 },
  sampling: 'balanced',
  seed: 11,
  checkpoint: { directory, everyIterations: 10 },
  ...(resume !== '-' && { resume }),
})

const watch = async () => {
  for await (const event of run) {
    if (event.phase === 'checkpoint' && event.iteration === Number(killAfter))
      process.kill(process.pid, 'SIGKILL')
  }
}
watch().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
