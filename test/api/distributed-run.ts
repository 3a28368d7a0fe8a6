import { setTimeout as sleep } from 'node:timers/promises'
import { type JcsError, train } from 'jcs-ct'
import { noiseSamples } from './noise-samples'
import { type RankTask, specOf } from './rank-task'

/**
 * A process of distributed.test.ts: trains on seeded noise, alone or as a rank of those that mpirun started. Its argument
 * is a `RankTask`. Says what became of it in a line of JSON on stdout.
 */
const {
  task,
  model: file,
  settings,
  after,
  lingerMs,
  samples: count = 16,
} = JSON.parse(process.argv[2] ?? '') as RankTask

const samples = noiseSamples(count, 48, { maskAll: task === 'segmentation' })

const say = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`)
const rank = Number(process.env.OMPI_COMM_WORLD_RANK ?? 0)
const controller = new AbortController()
const run = train({
  task,
  spec: specOf(task),
  data: { train: samples, validation: samples.slice(0, 4) },
  device: 'cpu',
  precision: 'fp32',
  threads: 1,
  recipe: 'scratch',
  schedule: { name: 'constant', learningRate: 0.01, warmupIterations: 0 },
  optimizer: { name: 'sgd', momentum: 0.9, maxGradientNorm: 5 },
  inputSize: 48,
  seed: 11,
  signal: controller.signal,
  ...settings,
})

const act = {
  abort: () => controller.abort(),
  kill: () => process.kill(process.pid, 'SIGKILL'),
  stop: () => process.kill(process.pid, 'SIGSTOP'),
  exit: () => process.exit(7),
}
const watch = async () => {
  for await (const event of run)
    if (event.phase === 'train' && after?.rank === rank && event.iteration === after.iteration)
      act[after.do]()
}
watch().catch(() => {})
const tell = async () => {
  try {
    const { model, history, ...result } = await run
    if (file && result.rank === 0) await model.save(file)
    const steps = history.flatMap((event) => (event.phase === 'train' ? [event] : []))
    const losses = Object.fromEntries(steps.map(({ iteration, loss }) => [iteration, loss]))
    say({ ...result, losses })
    if (lingerMs?.rank === rank) await sleep(lingerMs.ms)
  } catch (error) {
    const { code, message } = error as JcsError
    say({ rank, code, message })
    process.exitCode = 1
  }
}
tell()
