import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { archivedChest } from './archived-chest'
import { lower, lungs, networks, upper, voxelMl, voxels } from './lung-scan'
import { type RedisServer, redisMissing, startRedis } from './redis'
import { repositoryRoot } from './small'

t.jobs = 1
const example = join(repositoryRoot, 'examples/cluster')
const host = '127.0.0.1'

interface Line {
  event: string
  key?: string
  [field: string]: unknown
}

interface WorkerProcess {
  child: ChildProcess
  lines: Line[]
}

class Cluster {
  readonly workers: WorkerProcess[] = []
  readonly #environment: NodeJS.ProcessEnv

  constructor(
    readonly directory: string,
    readonly redis: RedisServer,
    settings: NodeJS.ProcessEnv,
  ) {
    this.#environment = {
      ...process.env,
      SEGMENTER: join(directory, 'threshold-above--700.safetensors'),
      LUNGS: join(directory, 'threshold-below--300.safetensors'),
      RESULTS: this.results,
      REDIS_URL: redis.url,
      ...settings,
    }
  }

  get results(): string {
    return join(this.directory, 'results')
  }

  startWorker(): WorkerProcess {
    const child = spawn(process.execPath, [join(example, 'worker.mjs')], {
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines: Line[] = []
    createInterface({ input: child.stdout! }).on('line', (line) => lines.push(JSON.parse(line)))
    const worker = { child, lines }
    this.workers.push(worker)
    return worker
  }

  async ready({ child, lines }: WorkerProcess): Promise<string> {
    for (;;) {
      if (child.exitCode !== null) throw new Error(`the worker ended with ${child.exitCode}`)
      const line = lines.find(({ event }) => event === 'ready')
      if (line) return line.queue as string
      await sleep(20)
    }
  }

  async run(script: string, args: readonly string[]) {
    const child = spawn(process.execPath, [join(example, script), ...args], { env: this.#environment })
    let output = ''
    let log = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    child.stderr.on('data', (chunk) => {
      log += chunk
    })
    const [code] = await once(child, 'close')
    return { code, output: output.trim().split('\n'), log }
  }

  async submit(args: readonly string[]) {
    const { code, output, log } = await this.run('submit.mjs', args)
    return { code, log, outcomes: output.filter((line) => line).map((line) => JSON.parse(line)) }
  }

  document(key: string) {
    return JSON.parse(readFileSync(join(this.results, key, 'diagnosis.json'), 'utf8'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.workers) child.kill('SIGKILL')
    await this.redis[Symbol.asyncDispose]()
  }
}

async function startCluster(t: Test, settings: NodeJS.ProcessEnv): Promise<Cluster> {
  const directory = t.testdir({ redis: {} })
  for (const model of Object.values(await networks(directory))) await model.dispose()
  return new Cluster(directory, await startRedis(join(directory, 'redis')), settings)
}

/** A directory for each chest, all of the same boxes, under UIDs of its own. */
function writeChests(directory: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const path = join(directory, `case-${index}`)
    mkdirSync(path)
    for (const [number, file] of archivedChest(`2.25.${index + 1}`).files.entries())
      writeFileSync(join(path, String(number)), file)
    return path
  })
}

/** From the boxes, not from a diagnosis. */
const expected = {
  lungVolumeMl: voxelMl * lungs.reduce((sum, box) => sum + voxels(box), 0),
  lesionVolumeMl: voxelMl * (voxels(upper) + voxels(lower)),
}

function checkDocument(t: Test, document: ReturnType<Cluster['document']>): void {
  t.equal(document.totalSlices, 30)
  for (const [name, volumeMl] of Object.entries(expected))
    t.ok(Math.abs(document.involvement[name] - volumeMl) < 1e-6, `${name} ${document.involvement[name]}`)
}

const thresholdOf = (slices: number) => ['--options', JSON.stringify({ sliceThreshold: slices })]

t.test('examples/cluster', { skip: redisMissing }, async (t) => {
  await using cluster = await startCluster(t, { CONCURRENCY: '1' })
  const { directory } = cluster
  const [first, second, third] = writeChests(directory, 3) as [string, string, string]
  const worker = cluster.startWorker()
  const { hostname, port } = new URL(cluster.redis.url)
  const cases = new Queue(await cluster.ready(worker), { connection: { host: hostname, port: Number(port) } })
  t.teardown(() => cases.close())

  await t.test('a case is diagnosed once, however often it is sent', async (t) => {
    const [one, other] = await Promise.all([
      cluster.submit([...thresholdOf(3), first]),
      cluster.submit([...thresholdOf(3), first]),
    ])
    t.equal(one.code, 0)
    t.match(one.log, /case-0: segment 30 of 30/, 'progress')
    t.strictSame(one.outcomes, other.outcomes)
    const [{ key, result }] = one.outcomes
    t.equal(result, join(cluster.results, key))
    checkDocument(t, cluster.document(key))
    t.match(readFileSync(join(result, 'report.html'), 'utf8'), /Diagnosis of a case/)
    t.strictSame((await cluster.submit([...thresholdOf(3), first])).outcomes, one.outcomes)
    const published = worker.lines.filter(({ event }) => event === 'completed')
    t.match(published, [{ key, published: true }])
    t.notMatch(JSON.stringify(worker.lines), /case-0/, 'a log without names')
    rmSync(result, { recursive: true })
    t.strictSame((await cluster.submit([...thresholdOf(3), first])).outcomes, one.outcomes)
    checkDocument(t, cluster.document(key))
  })

  await t.test('a higher priority goes first', async (t) => {
    const seen = worker.lines.length
    await cases.pause()
    const submissions = [
      cluster.submit(['--priority', 'low', first]),
      cluster.submit(['--priority', 'high', second]),
      cluster.submit([third]),
    ]
    while ((await cases.count()) < 3) await sleep(20)
    await cases.resume()
    const [low, high, normal] = (await Promise.all(submissions)).map(({ outcomes }) => outcomes[0].key)
    const started = worker.lines.slice(seen).filter(({ event }) => event === 'started')
    t.strictSame(
      started.map(({ key }) => key),
      [high, normal, low],
    )
  })

  await t.test('what cannot be diagnosed is a dead letter, and is sent again when asked for', async (t) => {
    const broken = join(directory, 'broken')
    mkdirSync(broken)
    const [header] = archivedChest('2.25.9').files
    for (const number of [1, 2]) writeFileSync(join(broken, `${number}.dcm`), header!.subarray(0, 300))
    const { code, outcomes } = await cluster.submit([...thresholdOf(1), broken])
    t.equal(code, 1)
    const [{ key, error, attempts }] = outcomes
    t.match(error, /^(CORRUPT_FILE|UNSUPPORTED_FORMAT): /)
    t.equal(attempts, 1, 'trying again would be in vain')
    t.match(worker.lines.at(-1), { event: 'failed', key, code: error.split(':')[0] })
    const listed = await cluster.run('dead-letters.mjs', [])
    t.match(listed.output, [new RegExp(`^${key}  .*broken  1 attempts: [A-Z_]+: `)])
    const seen = worker.lines.length
    t.equal((await cluster.run('dead-letters.mjs', [key])).code, 0)
    while (!worker.lines.slice(seen).some(({ event }) => event === 'failed')) await sleep(20)
    t.equal((await cluster.submit([...thresholdOf(1), broken])).code, 1)
  })

  await t.test('what may pass is tried again', async (t) => {
    await cases.pause()
    const seen = worker.lines.length
    const submission = cluster.submit([...thresholdOf(6), second])
    while ((await cases.count()) < 1) await sleep(20)
    renameSync(second, `${second}-away`)
    await cases.resume()
    while (!worker.lines.slice(seen).some(({ event }) => event === 'failed')) await sleep(20)
    renameSync(`${second}-away`, second)
    t.match(await submission, { code: 0, outcomes: [{ result: String }] })
    t.match(worker.lines.slice(seen), [
      { event: 'started' },
      { event: 'failed', attempt: 1, code: 'ENOENT' },
      { event: 'started' },
      { event: 'completed', published: true },
    ])
  })

  await t.test('files that changed since they were sent', async (t) => {
    await cases.pause()
    const submission = cluster.submit([...thresholdOf(4), third])
    while ((await cases.count()) < 1) await sleep(20)
    writeFileSync(join(third, 'another'), 'file')
    await cases.resume()
    t.match((await submission).outcomes, [{ error: /not those that were sent/ }])
  })

  await t.test('SIGTERM: a worker ends what it has', async (t) => {
    const seen = worker.lines.length
    const submission = cluster.submit([...thresholdOf(5), first])
    while (!worker.lines.slice(seen).some(({ event }) => event === 'started')) await sleep(5)
    worker.child.kill('SIGTERM')
    const [code] = await once(worker.child, 'exit')
    t.equal(code, 0)
    t.match(
      worker.lines.slice(seen).map(({ event }) => event),
      ['started', 'closing', 'completed', 'closed'],
    )
    t.equal((await submission).code, 0)
  })
})

t.test('a case that its workers die of is given up', { skip: redisMissing }, async (t) => {
  await using cluster = await startCluster(t, { CONCURRENCY: '1', LOCK_MS: '1000', MAX_STALLED: '1' })
  const submission = cluster.submit([...thresholdOf(3), ...writeChests(cluster.directory, 1)])
  for (let deaths = 0; deaths < 2; deaths++) {
    const worker = cluster.startWorker()
    while (!worker.lines.some(({ event }) => event === 'started')) await sleep(5)
    worker.child.kill('SIGKILL')
  }
  const last = cluster.startWorker()
  t.match(await submission, { code: 1, outcomes: [{ error: /stalled more than allowable limit/ }] })
  t.notOk(
    last.lines.some(({ event }) => event === 'started'),
    'the third worker is spared',
  )
})

t.test(
  'workers killed in the middle of a case, and Redis, fifty times each: no case is lost or doubled',
  { skip: redisMissing, timeout: 600_000 },
  async (t) => {
    const times = 50
    await using cluster = await startCluster(t, { CONCURRENCY: '1', LOCK_MS: '1000', MAX_STALLED: '1000' })
    const chests = writeChests(cluster.directory, 8)
    const queueName = await cluster.ready(cluster.startWorker())
    cluster.startWorker()

    let workersKilled = 0
    let redisKilled = 0
    const killWorkers = async () => {
      const isBusy = ({ child, lines }: WorkerProcess) => !child.killed && lines.at(-1)?.event === 'started'
      while (workersKilled < times) {
        const worker = cluster.workers.find(isBusy)
        const start = worker?.lines.at(-1)
        await sleep(worker ? Math.random() * 800 : 5)
        if (!worker || worker.lines.at(-1) !== start) continue
        worker.child.kill('SIGKILL')
        workersKilled++
        cluster.startWorker()
      }
    }
    const killRedis = async () => {
      while (redisKilled < times) {
        await sleep(300 + Math.random() * 700)
        await cluster.redis.killAndRestart()
        redisKilled++
      }
    }
    const chaos = Promise.all([killWorkers(), killRedis()])
    const keys = new Set<string>()
    for (let round = 0; workersKilled < times || redisKilled < times; round++) {
      const { code, outcomes } = await cluster.submit([...thresholdOf(round), ...chests])
      t.equal(code, 0)
      for (const { key } of outcomes) keys.add(key)
      t.equal(keys.size, (round + 1) * chests.length, 'every case has a result')
    }
    await chaos
    t.comment(`${keys.size} cases, ${workersKilled} workers and ${redisKilled} Redis killed`)

    for (const key of keys) checkDocument(t, cluster.document(key))
    const visible = readdirSync(cluster.results).filter((name) => !name.startsWith('.'))
    t.strictSame(visible.sort(), [...keys].sort(), 'and one each')
    const port = Number(new URL(cluster.redis.url).port)
    const cases = new Queue(queueName, { connection: { host, port } })
    const deadLetters = new Queue(`${queueName}-dead`, { connection: { host, port } })
    t.teardown(() => Promise.all([cases.close(), deadLetters.close()]))
    while ((await cases.getJobCounts('completed')).completed !== keys.size) await sleep(100)
    t.match(await cases.getJobCounts(), { active: 0, delayed: 0, failed: 0, prioritized: 0 })
    t.equal(await deadLetters.count(), 0)
    // The queue's own account: each was completed, and none twice.
    const client = new Redis(cluster.redis.url)
    t.teardown(() => client.disconnect())
    const events = await client.xrange(cases.toKey('events'), '-', '+')
    const completed = events
      .map(([, fields]) => fields)
      .filter((fields) => fields[fields.indexOf('event') + 1] === 'completed')
      .map((fields) => fields[fields.indexOf('jobId') + 1]!)
    t.strictSame(completed.sort(), [...keys].sort())
  },
)
