// node examples/embedding/worker-threads.mjs: two threads with a model each. One thread serves many requests as well, as
// networks run outside of JavaScript; threads are for what else a server computes in JavaScript.
import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { classify, createModel, generateCase } from 'jcs-ct'

if (isMainThread) {
  const probabilities = await Promise.all(
    [1, 1].map(async (seed) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { seed } })
      const [message] = await once(worker, 'message')
      return message
    }),
  )
  console.log(probabilities.join(' '))
} else {
  const model = await createModel({ network: 'res2net50-v1b', width: 0.125 }, { seed: 1, threads: 1 })
  const { slices } = generateCase(workerData.seed, { slices: 1, size: 64 })
  const [{ probability }] = await classify(model, [slices[0].pixels])
  parentPort.postMessage(probability.toFixed(6))
  await model.dispose()
}
