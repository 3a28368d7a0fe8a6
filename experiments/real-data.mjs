// node experiments/real-data.mjs CONFIG.json [--set path=JSON]... [--log FILE]
//
// One run on real data through the public API: trains as the configuration says, scores the model once on its `test`
// dataset, and writes figures, settings, time and machine to experiments/results/<name>.json. With --set it is a trial of
// other settings: its record goes to --log (one JSON line each), and no result is written. Dataset paths are relative
// to the shared data folder: ../shared/data, or $JCS_SHARED/data.
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { root, sharedFolder } from '../scripts/paths.mjs'

const dataFolder = path.join(sharedFolder, 'data')

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    set: { type: 'string', multiple: true, default: [] },
    log: { type: 'string' },
    dist: { type: 'string', default: path.join(root, 'dist') },
  },
})
const { evaluate, train } = await import(path.join(values.dist, 'index.js'))

/** Sets `a.b.c=value` in a nested object; null removes. */
const set = (target, assignment) => {
  const [name, ...value] = assignment.split('=')
  const keys = name.split('.')
  const last = keys.pop()
  const parent = keys.reduce((object, key) => (object[key] ??= {}), target)
  const parsed = JSON.parse(value.join('='))
  if (parsed === null) delete parent[last]
  else parent[last] = parsed
}

const locate = (source) => {
  if (source === undefined) return undefined
  const description = typeof source === 'string' ? { path: source } : source
  return { ...description, path: path.resolve(dataFolder, description.path) }
}

const minutes = (milliseconds) => Math.round(milliseconds / 600) / 100

const [configPath] = positionals
const config = JSON.parse(await readFile(configPath, 'utf8'))
for (const assignment of values.set) set(config, assignment)
const { data, ...options } = config.train

const started = Date.now()
const run = train({
  ...options,
  data: {
    ...data,
    train: locate(data.train),
    ...(data.validation && { validation: locate(data.validation) }),
  },
})
const validations = []
let epoch = 0
let lossSum = 0
let steps = 0
for await (const event of run) {
  if (event.phase === 'train') {
    if (event.epoch !== epoch && steps > 0) {
      process.stdout.write(
        `epoch ${epoch}/${event.epochs}  loss ${(lossSum / steps).toFixed(4)}  ${event.samplesPerSecond.toFixed(1)}/s  ETA ${Math.round(event.etaMs / 1000)} s\n`,
      )
      lossSum = 0
      steps = 0
    }
    epoch = event.epoch
    lossSum += event.loss
    steps++
  }
  if (event.phase === 'validate' && event.metrics) {
    validations.push({ epoch: event.epoch, ...event.metrics })
    process.stdout.write(`epoch ${event.epoch} ${JSON.stringify(event.metrics)}\n`)
  }
}
const { model, settings, iterations, warnings } = await run
const trainedMs = Date.now() - started

let test
if (config.test) {
  const {
    probabilities: _,
    patients: __,
    skipped: ___,
    warnings: ____,
    slices: _____,
    ...metrics
  } = await evaluate(model, locate(config.test))
  test = metrics
}
const cpu = process.cpuUsage()
const record = {
  name: path.basename(configPath, '.json'),
  command: `node experiments/real-data.mjs ${path.relative(root, path.resolve(configPath))}`,
  date: new Date().toISOString().slice(0, 10),
  machine: `${availableParallelism()} × ${cpus()[0].model.trim()}`,
  spec: model.spec,
  precision: model.precision,
  threads: model.threads,
  data,
  test: config.test && { data: config.test, metrics: test },
  validations: values.log ? validations : undefined,
  trainingMinutes: minutes(trainedMs),
  cpuMinutes: minutes((cpu.user + cpu.system) / 1000),
  iterations,
  settings,
  warnings,
}
await model.dispose()
if (values.log) {
  await appendFile(values.log, `${JSON.stringify({ set: values.set, ...record })}\n`)
} else if (values.set.length === 0) {
  const results = path.join(root, 'experiments', 'results')
  await mkdir(results, { recursive: true })
  await writeFile(path.join(results, `${record.name}.json`), `${JSON.stringify(record, null, 2)}\n`)
}
process.stdout.write(
  `${JSON.stringify({ test, trainingMinutes: record.trainingMinutes, cpuMinutes: record.cpuMinutes })}\n`,
)
