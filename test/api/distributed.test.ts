import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import sharp from 'sharp'
import t from 'tap'
import { createModel, generateCase, loadModel } from '../../ts/index'
import { type RankTask, specOf } from './rank-task'
import { readFloats } from './safetensors'
import { repositoryRoot } from './small'

// Processes that train together, started by Open MPI's mpirun as users start theirs.

const folder = mkdtempSync(join(tmpdir(), 'jcs-distributed-'))
t.teardown(() => rmSync(folder, { recursive: true }))

interface Said {
  rank: number
  ranks?: number
  code?: string
  message?: string
  /** By iteration. The last one's is there; a busy process may have passed over others. */
  losses?: Record<number, number>
  metrics?: Record<string, number>
  checkpoint?: string
  microBatch?: number
}

interface Outcome {
  code: number | null
  said: Said[]
  stderr: string
  seconds: number
}

const mpirunOptions = ['--allow-run-as-root', '--oversubscribe', '--bind-to', 'none', '-n']

interface Ended {
  code: number | null
  stdout: string
  stderr: string
  seconds: number
}

/** Runs a program of Node's as that many ranks; one is a process by itself, unless a launcher is named. */
function runAsRanks(
  ranks: number,
  args: readonly string[],
  environment = {},
  launcher = ranks > 1 ? 'mpirun' : undefined,
): Promise<Ended> {
  const node = [process.execPath, ...args]
  const [program = '', ...rest] = launcher ? [launcher, ...mpirunOptions, String(ranks), ...node] : node
  const startMs = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      cwd: repositoryRoot,
      // Without the hooks that tap puts into its own processes' NODE_OPTIONS.
      env: { ...process.env, NODE_OPTIONS: '', ...environment },
      timeout: 120_000,
    })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (text) => {
      stdout += text
    })
    child.stderr.on('data', (text) => {
      stderr += text
    })
    child.on('error', reject)
    child.on('close', (code) =>
      resolve({ code, stdout, stderr, seconds: (performance.now() - startMs) / 1000 }),
    )
  })
}

async function start(ranks: number, task: RankTask, environment = {}): Promise<Outcome> {
  const loader = pathToFileURL(require.resolve('tsx')).href
  const settings = { distributed: ranks > 1, ...task.settings }
  const args = [
    '--import',
    loader,
    join(__dirname, 'distributed-run.ts'),
    JSON.stringify({ ...task, settings }),
  ]
  const { stdout, ...ended } = await runAsRanks(ranks, args, environment)
  const said = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Said)
    .sort((a, b) => a.rank - b.rank)
  return { ...ended, said }
}

/** How far two models' parameters are apart, all of them as one vector; running statistics, which move by themselves, left out. */
function distance(one: string, other: string): number {
  const [a, b] = [readFloats(one), readFloats(other)]
  let squares = a.size > 0 && a.size === b.size ? 0 : Number.NaN
  for (const [name, { data }] of a) {
    if (name.includes('.running_')) continue
    const theirs = b.get(name)?.data ?? new Float32Array()
    for (let i = 0; i < data.length; i++) squares += (data[i]! - (theirs[i] ?? Number.NaN)) ** 2
  }
  return Math.sqrt(squares)
}

const batchesOf = (batchSize: number, iterations = 6) => ({
  batchSize,
  iterations,
  batchNorm: 'synchronized' as const,
})

/**
 * Steps so small that rounding does not grow. From that seed the first batch is mixed and others are not, and no ReLU is
 * so near its kink that rounding opens it.
 */
const gently = {
  schedule: { name: 'constant', learningRate: 1e-4, warmupIterations: 0 },
  iterations: 3,
  seed: 15,
} as const

const cases: { name: string; task: RankTask['task']; settings: RankTask['settings'] }[] = [
  { name: 'segmentation, Dice over the batch, augmented', task: 'segmentation', settings: {} },
  {
    name: 'classification, mixed, with the loss on activation maps',
    task: 'classification',
    settings: { ...gently, mixup: { alpha: 0.4 }, activationLoss: true },
  },
  {
    name: 'balanced, averaged, the best kept',
    task: 'classification',
    settings: {
      ...gently,
      sampling: 'balanced',
      mixup: { alpha: 0 },
      ema: { decay: 0.9 },
      best: { metric: 'auc' },
    },
  },
]

for (const { name, task, settings } of cases)
  t.test(`two processes are one of the double batch: ${name}`, async (t) => {
    const fileOf = (what: string) => join(folder, `${task}-${what}.safetensors`)
    await using untrained = await createModel(specOf(task), { seed: settings.seed ?? 11, device: 'cpu' })
    await untrained.save(fileOf('untrained'))
    const run = (ranks: number, batchSize: number) =>
      start(ranks, { task, model: fileOf(String(ranks)), settings: { ...batchesOf(batchSize), ...settings } })
    const together = await run(2, 4)
    t.equal(together.code, 0, together.stderr)
    const alone = await run(1, 8)
    t.equal(alone.code, 0, alone.stderr)
    const ranks = together.said.map(({ rank, ranks }) => [rank, ranks])
    t.same(ranks, [
      [0, 2],
      [1, 2],
    ])
    const [first, second] = together.said
    const last = settings.iterations ?? batchesOf(8).iterations
    const common = (a: Said | undefined, b: Said | undefined) =>
      Object.entries(a?.losses ?? {}).flatMap(([iteration, loss]) => {
        const other = b?.losses?.[Number(iteration)]
        return other === undefined ? [] : [{ iteration: Number(iteration), loss, other }]
      })
    const ofRanks = common(first, second)
    t.ok(ofRanks.some(({ iteration }) => iteration === last))
    for (const { loss, other } of ofRanks)
      t.equal(loss, other, 'all ranks report the loss of the whole batch')
    t.same(first?.metrics, second?.metrics)
    const withAlone = common(first, alone.said[0])
    t.ok(withAlone.some(({ iteration }) => iteration === last))
    for (const { loss, other } of withAlone)
      t.ok(Math.abs(loss - other) < 1e-3 * Math.abs(other), `${loss} is ${other}`)
    const off = distance(fileOf('1'), fileOf('2'))
    const change = distance(fileOf('untrained'), fileOf('1'))
    t.ok(off < 0.01 * change, `parameters differ by ${off}, training changed them by ${change}`)
    t.ok(off > 0, 'sums are taken in another order')
  })

t.test('mpirun jcs train: one of the processes speaks, writes and saves', async (t) => {
  const data = t.testdir()
  const rows = ['image,mask']
  for (const [i, { pixels, lesionMask }] of generateCase(1, {
    infected: true,
    slices: 8,
    size: 64,
  }).slices.entries()) {
    const png = (bytes: Uint8Array) =>
      sharp(bytes, { raw: { width: 64, height: 64, channels: 1 } })
        .png()
        .toBuffer()
    writeFileSync(join(data, `${i}.png`), await png(pixels.data))
    writeFileSync(join(data, `${i}-mask.png`), await png(lesionMask.map((value) => 255 * value)))
    rows.push(`${i}.png,${i}-mask.png`)
  }
  writeFileSync(join(data, 'data.csv'), rows.join('\n'))
  const out = join(folder, 'cli')
  const { code, stdout, stderr } = await runAsRanks(2, [
    join(repositoryRoot, 'dist', 'cli', 'main.js'),
    ...['train', 'segmentation', '--data', join(data, 'data.csv'), '--out', out],
    ...['--network', 'unet', '--width', '0.05', '--recipe', 'scratch', '--input-size', '64'],
    ...['--batch-size', '2', '--epochs', '2', '--threads', '1', '--device', 'cpu', '--json'],
  ])
  t.equal(code, 0, stderr)
  const { iterations, settings } = JSON.parse(stdout)
  t.match({ iterations, settings }, { iterations: 4, settings: { ranks: 2, batchSize: 2 } })
  for (const file of ['model.safetensors', 'report.html', 'metrics.json', 'checkpoint.safetensors'])
    t.ok(existsSync(join(out, file)), file)
})

t.test('batches in parts, on ranks', async (t) => {
  const files = ['whole', 'parts'].map((name) => join(folder, `${name}.safetensors`)) as [string, string]
  for (const [i, microBatch] of [0, 3].entries()) {
    // Statistics that are stored: those of a part are not the batch's.
    const settings = { ...batchesOf(4), batchNorm: 'eval' as const, microBatch }
    const { code, said, stderr } = await start(2, { task: 'segmentation', model: files[i]!, settings })
    t.equal(code, 0, stderr)
    t.equal(said[0]?.microBatch, microBatch || 4)
  }
  t.ok(distance(...files) < 1e-4)
})

t.test('a run of ranks goes on from its checkpoint, as many ranks as before', async (t) => {
  const directory = join(folder, 'resumed')
  const checkpoint = { directory, everyIterations: 3 }
  const files = ['through', 'resumed'].map((name) => join(folder, `${name}.safetensors`)) as [string, string]
  const task = 'segmentation'
  const through = await start(2, { task, model: files[0], settings: { ...batchesOf(4) } })
  t.equal(through.code, 0, through.stderr)
  const half = await start(2, { task, settings: { ...batchesOf(4, 3), checkpoint } })
  t.equal(half.code, 0, half.stderr)
  const [first, second] = half.said
  t.ok(existsSync(first!.checkpoint!))
  t.equal(second?.checkpoint, undefined, 'one of them writes it')
  const resume = first!.checkpoint!
  const resumed = await start(2, { task, model: files[1], settings: { ...batchesOf(4), resume } })
  t.equal(resumed.code, 0, resumed.stderr)
  t.equal(distance(...files), 0, 'bit for bit')

  const alone = await start(1, { task, settings: { ...batchesOf(4), resume } })
  t.equal(alone.said[0]?.code, 'RESUME_MISMATCH')
  t.match(alone.said[0]?.message, /ranks = 2, this run has 1/)
})

t.test('a rank that is killed ends the run in seconds, and the checkpoint stays', async (t) => {
  const directory = join(folder, 'killed')
  const { code, stderr, seconds } = await start(2, {
    task: 'segmentation',
    settings: { ...batchesOf(4, 100_000), checkpoint: { directory, everyIterations: 2 } },
    after: { rank: 1, iteration: 5, do: 'kill' },
  })
  t.not(code, 0)
  t.match(stderr, /rank 1 .* exited on signal 9/s)
  t.ok(seconds < 60, `after ${seconds} s`)
  await using model = await loadModel(join(directory, 'checkpoint.safetensors'), { device: 'cpu' })
  t.equal(model.spec.network, 'jcs-segmentation')
})

t.test('a rank that hangs is missed', async (t) => {
  const { said } = await start(2, {
    task: 'segmentation',
    settings: batchesOf(4, 100_000),
    after: { rank: 1, iteration: 3, do: 'stop' },
  })
  t.match(said, [{ rank: 0, code: 'RANK_LOST', message: /rank 1 has given no sign of life for 2\d s/ }])
})

t.test('a rank that has come to its end is not missed by one that goes on', async (t) => {
  const { code, said, stderr } = await start(2, {
    task: 'segmentation',
    settings: batchesOf(4, 3),
    lingerMs: { rank: 0, ms: 25_000 },
  })
  t.equal(code, 0, stderr)
  t.same(
    said.map(({ rank, code }) => [rank, code]),
    [
      [0, undefined],
      [1, undefined],
    ],
  )
})

t.test('a rank that gives up says why to the others', async (t) => {
  const { code, said } = await start(2, {
    task: 'segmentation',
    settings: batchesOf(4, 100_000),
    after: { rank: 1, iteration: 3, do: 'abort' },
  })
  t.not(code, 0)
  const byRank = new Map(said.map(({ rank, ...rest }) => [rank, rest]))
  t.equal(byRank.get(1)?.code, 'CANCELLED')
  t.equal(byRank.get(0)?.code, 'RANK_LOST')
  t.match(byRank.get(0)?.message, /rank 1 goes no further: .*cancelled.*last checkpoint/)
})

t.test('a rank whose process exits in the middle leaves nobody waiting', async (t) => {
  const { code, said, seconds } = await start(2, {
    task: 'segmentation',
    settings: batchesOf(4, 100_000),
    after: { rank: 0, iteration: 3, do: 'exit' },
  })
  t.not(code, 0)
  t.ok(seconds < 60, `after ${seconds} s`)
  t.notOk(said.some(({ losses }) => losses))
})

t.test('what cannot be trained together is refused, on every rank', async (t) => {
  const { said } = await start(2, { task: 'segmentation', samples: 6, settings: batchesOf(4) })
  t.equal(said[0]?.code ?? said[1]?.code, 'INVALID_ARGUMENT')
  t.match(
    said[0]?.message ?? said[1]?.message,
    /2 processes with batches of 4 need at least 8 samples, there are 6/,
  )
})

t.test('one process alone under mpirun ends in order', async (t) => {
  const task = JSON.stringify({ task: 'segmentation', settings: { ...batchesOf(4), distributed: true } })
  const loader = pathToFileURL(require.resolve('tsx')).href
  const args = ['--import', loader, join(__dirname, 'distributed-run.ts'), task]
  const { code, stdout, stderr } = await runAsRanks(1, args, {}, 'mpirun')
  t.equal(code, 0, stderr)
  t.match(JSON.parse(stdout), { rank: 0, ranks: 1 })
})

t.test('processes of another MPI’s launcher do not train by themselves', async (t) => {
  const settings = { ...batchesOf(4), distributed: true }
  const { said } = await start(1, { task: 'segmentation', settings }, { PMI_RANK: '1', PMI_SIZE: '2' })
  t.equal(said[0]?.code, 'MPI_UNAVAILABLE')
  t.match(said[0]?.message, /2 processes were started by the launcher of another MPI/)
})

t.test('without MPI the reason is told', async (t) => {
  const { said } = await start(
    1,
    { task: 'segmentation', settings: { ...batchesOf(4), distributed: true } },
    { JCS_BACKEND_DIR: folder },
  )
  t.equal(said[0]?.code, 'MPI_UNAVAILABLE')
  t.match(said[0]?.message, /libopenmpi-dev|openmpi-bin/)
})
