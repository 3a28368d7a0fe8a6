import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { repositoryRoot } from './small'

const library = JSON.stringify(join(repositoryRoot, 'dist'))

/** Classifies for ever, or `rounds` times, and says after each round what came out. */
const source = `
const { parentPort, workerData } = require('node:worker_threads')
const { classify, createModel, generateCase } = require(${library})
async function main() {
  const model = await createModel({ network: 'res2net50-v1b', width: 0.125 }, { seed: 4, precision: 'fp32' })
  const slices = generateCase(1, { infected: true, slices: 4, size: 64 }).slices.map(({ pixels }) => pixels)
  for (let round = 0; round < workerData.rounds; round++) {
    const results = await classify(model, slices)
    parentPort.postMessage(results.map(({ probability }) => probability))
  }
  await model.dispose()
}
main()`

const start = (rounds: number) => new Worker(source, { eval: true, workerData: { rounds } })

t.test('four workers at once agree', async (t) => {
  const outcomes = await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const worker = start(3)
      const messages: number[][] = []
      worker.on('message', (message) => messages.push(message))
      const [code] = await once(worker, 'exit')
      t.equal(code, 0)
      return messages
    }),
  )
  t.equal(outcomes.flat().length, 12)
  for (const message of outcomes.flat()) t.same(message, outcomes[0]![0])
})

t.test('workers that are terminated midway leave the others alone', async (t) => {
  const survivor = start(12)
  const messages: number[][] = []
  survivor.on('message', (message) => messages.push(message))
  const finished = once(survivor, 'exit')
  for (let i = 0; i < 4; i++) {
    const worker = start(Number.MAX_SAFE_INTEGER)
    await once(worker, 'message')
    await worker.terminate()
  }
  const [code] = await finished
  t.equal(code, 0)
  t.equal(messages.length, 12)
  for (const message of messages) t.same(message, messages[0])
})

t.test('a worker terminated while it trains', async (t) => {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads')
     const { generateCase, train } = require(${library})
     const slices = generateCase(1, { infected: true, slices: 8, size: 64 }).slices
     const samples = slices.map((s) => ({ image: s.pixels, mask: { data: s.lesionMask, width: 64, height: 64 } }))
     train({ task: 'segmentation', spec: { network: 'jcs-segmentation', width: 0.125 }, recipe: 'scratch',
       data: { train: samples }, inputSize: 64, iterations: 100000,
       onProgress: (event) => event.phase === 'train' && parentPort.postMessage(event.iteration) })`,
    { eval: true },
  )
  const [iteration] = await once(worker, 'message')
  t.ok(iteration >= 1)
  const startMs = performance.now()
  await worker.terminate()
  t.ok(performance.now() - startMs < 20_000, 'it ends within a step')
})
