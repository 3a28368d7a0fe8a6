// node experiments/cross-validation.mjs CONFIG.json [--out runs] [--dist DIST]
//
// A cross-validation on real data through the public API. Its trainings go to OUT/<name>, where an interrupted run goes
// on; scores, settings, time and machine to experiments/results/<name>.json. The dataset's path is relative to the shared
// data folder: ../shared/data, or $JCS_SHARED/data.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { rounded } from '../models/scores.mjs'
import { root, sharedFolder } from '../scripts/paths.mjs'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: path.join(root, 'runs') },
    dist: { type: 'string', default: path.join(root, 'dist') },
  },
})
const { crossValidate } = await import(path.join(values.dist, 'index.js'))
const [configPath] = positionals
const name = path.basename(configPath, '.json')
const options = JSON.parse(await readFile(configPath, 'utf8'))

const run = crossValidate({
  ...options,
  data: path.join(sharedFolder, 'data', options.data),
  directory: path.join(values.out, name),
})
for await (const event of run) {
  if (event.phase !== 'cross-validate') continue
  const { done, total, fold, seed, etaMs, metrics } = event
  const left = etaMs === undefined ? '' : `, ${Math.round(etaMs / 6e4)} min left`
  const score = metrics ? ` ${JSON.stringify(rounded(metrics.dice ?? metrics.auc))}` : ''
  process.stdout.write(`${done}/${total} fold ${fold} seed ${seed}${score}${left}\n`)
}
const { runs, metrics, warnings } = await run
const spreadOf = (spread) =>
  Object.fromEntries(Object.entries(spread).map(([key, value]) => [key, rounded(value, 4)]))
const result = {
  name,
  command: `node experiments/cross-validation.mjs ${path.relative(root, path.resolve(configPath))}`,
  date: new Date().toISOString().slice(0, 10),
  machine: `${availableParallelism()} × ${cpus()[0].model.trim()}`,
  options,
  metrics: Object.fromEntries(Object.entries(metrics).map(([metric, spread]) => [metric, spreadOf(spread)])),
  runs: runs.map(({ slices: _, model: __, metrics: own, ...rest }) => ({
    ...rest,
    metrics: Object.fromEntries(Object.entries(own).map(([metric, value]) => [metric, rounded(value, 4)])),
  })),
  warnings,
}
const folder = path.join(root, 'experiments', 'results')
await mkdir(folder, { recursive: true })
await writeFile(path.join(folder, `${name}.json`), `${JSON.stringify(result, undefined, 2)}\n`)
console.log(JSON.stringify(result.metrics, undefined, 2))
