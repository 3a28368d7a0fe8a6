import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { classify, createModel, createService } from '../../ts/index'
import { classifierSpec, repositoryRoot, smallSlices } from './small'

const execute = promisify(execFile)
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Resident memory without what nobody holds any more: when V8 collects by itself is chance. */
function residentBytes(): number {
  collectGarbage()
  return process.memoryUsage.rss()
}

const loadAndRun = `
const { parentPort, workerData } = require('node:worker_threads')
const { loadModel } = require(${JSON.stringify(join(repositoryRoot, 'dist'))})
async function main() {
  const model = await loadModel(workerData, { device: 'cpu', precision: 'fp32' })
  await model.forward({ data: new Float32Array(3 * 64 * 64).fill(0.5), shape: [1, 3, 64, 64] })
  parentPort.postMessage('ready')
  parentPort.on('message', () => {}) // stays
}
main()`

t.test('a thousand classify calls do not grow memory', async (t) => {
  await using model = await createModel(classifierSpec)
  const [slice] = smallSlices(1)
  const call = async (times: number) => {
    for (let i = 0; i < times; i++) await classify(model, slice!, { explain: true, batchSize: 1 })
  }
  await call(150)
  const before = residentBytes()
  await call(1000)
  const grownMiB = (residentBytes() - before) / 2 ** 20
  // A leak of one 64 x 64 map a call would be 16 MiB, of one decoded batch 600 MiB; V8 itself moves by some.
  t.ok(grownMiB < 48, `grew by ${grownMiB.toFixed(1)} MiB`)
})

t.test('a second process finds what the first has prepared, and adds nothing', async (t) => {
  const directory = t.testdir()
  const path = join(directory, 'model.safetensors')
  await using model = await createModel({ network: 'res2net50-v1b', width: 0.5 })
  await model.save(path)
  const prepared = join(directory, 'jcs-ct', 'prepared')
  const runOnce = `
    const { loadModel } = require(${JSON.stringify(join(repositoryRoot, 'dist'))})
    async function main() {
      const model = await loadModel(process.argv[1], { device: 'cpu', precision: 'fp32' })
      await model.forward({ data: new Float32Array(3 * 64 * 64).fill(0.5), shape: [1, 3, 64, 64] })
      await model.dispose()
    }
    main()`
  const seen: string[][] = []
  for (let i = 0; i < 3; i++) {
    await execute(process.execPath, ['-e', runOnce, path], { env: { ...process.env, JCS_CACHE: directory } })
    seen.push(await readdir(prepared))
  }
  t.equal(seen[0]?.length, 1)
  t.strictSame(seen[1], seen[0])
  t.strictSame(seen[2], seen[0])
})

t.test('a worker thread with the model of another holds little of its own', async (t) => {
  const directory = t.testdir()
  /** What each worker after the first adds that has loaded and run a classifier of that width. */
  const addedBy = async (width: number) => {
    const path = join(directory, `${width}.safetensors`)
    {
      await using model = await createModel({ network: 'res2net50-v1b', width })
      await model.save(path)
    }
    const workers: Worker[] = []
    let first = 0
    for (let i = 0; i < 4; i++) {
      const worker = new Worker(loadAndRun, { eval: true, workerData: path })
      workers.push(worker)
      await once(worker, 'message')
      if (i === 0) first = residentBytes()
    }
    const added = (residentBytes() - first) / (workers.length - 1)
    await Promise.all(workers.map((worker) => worker.terminate()))
    return added
  }
  await addedBy(0.125) // what a first worker leaves behind
  const ofIsolates = await addedBy(0.125)
  const weightsMiB = 91 // at width 1; a copy of them, or of what is prepared, would be that much
  const grownMiB = ((await addedBy(1)) - ofIsolates) / 2 ** 20
  t.ok(grownMiB < weightsMiB / 4, `a further worker took ${grownMiB.toFixed(1)} MiB of its own`)
})

t.test('models that are made and disposed of do not stay', async (t) => {
  const makeAndUse = async () => {
    const model = await createModel(classifierSpec)
    await classify(model, smallSlices(1), { batchSize: 1 })
    const { memoryBytes } = model
    await model.dispose()
    return memoryBytes
  }
  for (let i = 0; i < 3; i++) await makeAndUse()
  const before = residentBytes()
  let held = 0
  for (let i = 0; i < 25; i++) held += await makeAndUse()
  const grown = residentBytes() - before
  t.ok(
    grown < Math.max(held / 2, 64 * 2 ** 20),
    `grew by ${(grown / 2 ** 20).toFixed(1)} MiB of ${(held / 2 ** 20).toFixed(1)}`,
  )
})

t.test(
  'a service that loads, uses and gives up models again and again stays as large as it was',
  async (t) => {
    const path = join(t.testdir(), 'model.safetensors')
    {
      await using model = await createModel(classifierSpec)
      await model.save(path)
    }
    await using service = await createService({ models: { model: path }, warmUp: false })
    const slices = smallSlices(1)
    /** The least of what it takes while that many come and go: when the allocator gives back is chance. */
    const leastOf = async (models: number) => {
      let least = Number.POSITIVE_INFINITY
      for (let i = 1; i <= models; i++) {
        await service.replaceModel('model', path)
        await service.classify(slices, { model: 'model' })
        if (i % 20 === 0) least = Math.min(least, residentBytes())
      }
      return least
    }
    await leastOf(40)
    const before = await leastOf(60)
    await leastOf(60)
    const after = await leastOf(60)
    const percent = (100 * (after - before)) / before
    t.ok(percent < 5, `grew by ${percent.toFixed(1)} % of ${(before / 2 ** 20).toFixed(0)} MiB`)
  },
)
