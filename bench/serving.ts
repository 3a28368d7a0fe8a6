import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import autocannon from 'autocannon'
import { createModel, generateCase, type Network } from 'jcs-ct'
import sharp from 'sharp'
import { rounded, summarize } from './harness'
import type { Job, Settings } from './job'
import type { EngineResult, Measurement } from './results'

interface ServingCase {
  network: Network
  task: 'classification' | 'segmentation'
  size: number
  /** Of both services; powers of two up to it. */
  largestBatch: number
  connections: readonly number[]
  seconds: number
  quick?: boolean
}

const cases: readonly ServingCase[] = [
  {
    network: 'res2net50-v1b',
    task: 'classification',
    size: 224,
    largestBatch: 16,
    connections: [1, 4, 16, 64],
    seconds: 12,
    quick: true,
  },
  {
    network: 'jcs-segmentation',
    task: 'segmentation',
    size: 512,
    largestBatch: 4,
    connections: [1, 4, 16],
    seconds: 40,
  },
]

export const servingJobs = (settings: Settings): Job[] =>
  cases.map((benchmark) => {
    const name = `serving/${benchmark.network}`
    return {
      name,
      quick: benchmark.quick ?? false,
      measure: () => measureServing(name, benchmark, settings),
    }
  })

/** A service in a process of its own, on loopback. */
interface Server {
  engine: EngineResult['engine']
  precision: string
  /** Where a slice is sent. */
  url: string
  child: ChildProcess
}

interface Load {
  msPerAnswer: number
  p50Ms: number
  p99Ms: number
  /** Processors that making the requests kept busy. */
  generatorCores: number
}

/** Slices of 512² as PNG over HTTP, from as many connections as said, each with one request at a time. */
async function measureServing(
  name: string,
  benchmark: ServingCase,
  settings: Settings,
): Promise<Measurement[]> {
  const directory = mkdtempSync(join(tmpdir(), 'jcs-bench-'))
  const servers: Server[] = []
  try {
    const requests = await requestsOf()
    servers.push(...(await startServers(directory, benchmark, settings)))
    const loads = new Map<string, Load[]>()
    for (const server of servers) await load(server, requests, 4, { amount: 16 })
    for (const connections of benchmark.connections) {
      for (let round = 0; round < settings.repetitions; round++) {
        for (const server of round % 2 === 0 ? servers : servers.toReversed()) {
          const key = `${server.engine} ${connections}`
          loads.set(key, [
            ...(loads.get(key) ?? []),
            await load(server, requests, connections, { duration: benchmark.seconds }),
          ])
        }
      }
    }
    return tabulate(name, benchmark, servers, loads)
  } finally {
    for (const { child } of servers) child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
}

async function requestsOf(): Promise<{ headers: Record<string, string>; body: Buffer }[]> {
  const { slices } = generateCase(1, { infected: true, slices: 8, size: 512 })
  const boundary = 'jcs-bench'
  return Promise.all(
    slices.map(async ({ pixels: { data, width, height } }) => {
      const png = await sharp(data, { raw: { width, height, channels: 1 } })
        .png()
        .toBuffer()
      const head = `--${boundary}\r\nContent-Disposition: form-data; name="images"; filename="slice.png"\r\nContent-Type: image/png\r\n\r\n`
      return {
        headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
        body: Buffer.concat([Buffer.from(head), png, Buffer.from(`\r\n--${boundary}--\r\n`)]),
      }
    }),
  )
}

async function startServers(
  directory: string,
  { network, task, size, largestBatch }: ServingCase,
  { threads }: Settings,
): Promise<Server[]> {
  const file = join(directory, 'network.safetensors')
  const files: Record<number, string> = {}
  let precision: string
  {
    await using model = await createModel({ network, variant: 'authors' }, { device: 'cpu', seed: 1 })
    await model.save(file)
    precision = model.precision
    for (let batch = 1; batch <= largestBatch; batch *= 2) {
      const exported = join(directory, `network-${batch}.onnx`)
      await model.exportOnnx(exported, { batch, height: size, width: size })
      files[batch] = exported
    }
  }
  const isClassifier = task === 'classification'
  const ours = await start(
    [
      join(__dirname, '..', 'dist', 'cli', 'main.js'),
      ...['serve', '--port', '0', '--log-level', 'silent', '--no-page', '--no-lungs'],
      ...(isClassifier ? ['--classifier', file] : ['--segmenter', file]),
      ...['--device', 'cpu', '--threads', String(threads), '--max-uploads', '64'],
    ],
    'stderr',
  )
  const peer = await start(
    [join(__dirname, 'peers', 'onnxruntime_server.mjs'), JSON.stringify({ task, size, threads, files })],
    'stdout',
  )
  return [
    {
      ...ours,
      engine: 'jcs-ct',
      precision,
      url: `${ours.url}/v1/${isClassifier ? 'classify' : 'segment'}`,
    },
    { ...peer, engine: 'onnxruntime-node', precision: 'fp32', url: `${peer.url}/v1/slice` },
  ]
}

/** Started once it has told its address. */
async function start(
  args: readonly string[],
  stream: 'stdout' | 'stderr',
): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  for (const other of ['stdout', 'stderr'] as const) if (other !== stream) child[other].resume()
  for await (const line of createInterface({ input: child[stream] })) {
    const [url] = /http:\/\/\S+/.exec(line) ?? []
    if (url) return { child, url }
  }
  throw new Error(`${args[0]} did not start`)
}

async function load(
  { url, engine }: Server,
  requests: readonly { headers: Record<string, string>; body: Buffer }[],
  connections: number,
  length: { amount: number } | { duration: number },
): Promise<Load> {
  const before = process.cpuUsage()
  const result = await autocannon({
    url,
    connections,
    ...length,
    timeout: 120,
    requests: requests.map((request) => ({ method: 'POST', ...request })),
  })
  const { user, system } = process.cpuUsage(before)
  const { non2xx, errors, '2xx': answers } = result
  if (non2xx + errors > 0 || answers === 0)
    throw new Error(`${engine} answered ${answers} requests, refused ${non2xx} and left ${errors}`)
  return {
    msPerAnswer: rounded((1000 * result.duration) / answers),
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    generatorCores: rounded((user + system) / 1e6 / result.duration),
  }
}

const figures = { 'per answer': 'msPerAnswer', p50: 'p50Ms', p99: 'p99Ms' } as const

function tabulate(
  name: string,
  { network, size, connections }: ServingCase,
  servers: readonly Server[],
  loads: ReadonlyMap<string, readonly Load[]>,
): Measurement[] {
  const summaryOf = ({ engine }: Server, count: number, figure: keyof Load) =>
    summarize(loads.get(`${engine} ${count}`)!.map((each) => each[figure]))
  const rows = connections.flatMap((count) =>
    Object.entries(figures).map(
      ([what, figure]): Measurement => ({
        name: `${name}/${count} connections, ${what}`,
        kind: 'serving',
        unit: 'ms',
        network,
        batch: 1,
        size,
        results: servers.map((server) => ({
          engine: server.engine,
          precision: server.precision,
          settings: { generatorCores: summaryOf(server, count, 'generatorCores').median },
          ...summaryOf(server, count, figure),
        })),
      }),
    ),
  )
  return [...rows, equalP99(name, rows)]
}

/** The most that each serves while 99 of 100 answers come in the time in which the peer at its best gives them. */
function equalP99(name: string, rows: readonly Measurement[]): Measurement {
  const of = (what: string, engine: string) =>
    rows
      .filter((row) => row.name.endsWith(what))
      .map((row) => row.results.find((result) => result.engine === engine)!)
  const fastest = (results: readonly EngineResult[]) =>
    results.reduce((best, result) => (result.median < best.median ? result : best))
  const [perAnswer, p99] = [of('per answer', 'onnxruntime-node'), of('p99', 'onnxruntime-node')]
  const peer = fastest(perAnswer)
  const limitMs = p99[perAnswer.indexOf(peer)]!.median
  const ourP99 = of('p99', 'jcs-ct')
  const ours = fastest(of('per answer', 'jcs-ct').filter((_, index) => ourP99[index]!.median <= limitMs))
  return {
    ...rows[0]!,
    name: `${name}/per answer at equal p99`,
    note: `With the connections at which 99 of 100 answers come within ${limitMs} ms, what the peer takes at its best throughput.`,
    results: [ours, peer],
  }
}
