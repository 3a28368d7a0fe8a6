// npm run bench:paper -- [--budget quick|full] [--out runs/paper]
//
// The paper's experiments on ../shared/data (or $JCS_SHARED/data): COVID-19-CT100 in the five folds of the MiniSeg
// protocol, and slices without infection for the classifier whose features JCS combines. Goes on where it was; writes
// bench/results/paper/BUDGET.json, which docs/results.md shows. Pages and models stay in --out: they show real slices.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type BudgetName, reproduce } from '../ts'

const root = join(__dirname, '..')
const data = join(process.env.JCS_SHARED ?? join(root, '..', 'shared'), 'data')

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      budget: { type: 'string', default: 'quick' },
      out: { type: 'string', default: join(root, 'runs', 'paper') },
    },
  })
  const { budget, out } = values
  const startMs = performance.now()
  const run = reproduce({
    experiments: 'all',
    data: join(data, 'covid19-ct100', 'folds.csv'),
    uninfected: join(data, 'uninfected', 'slices.csv'),
    budget: budget as BudgetName,
    directory: join(out, budget),
  })
  for await (const event of run)
    if (event.phase === 'reproduce') {
      const { done, total, network, fold, seed, etaMs = 0, metrics } = event
      const dice = metrics ? `, Dice ${metrics.dice?.toFixed(3)}` : ''
      console.log(
        `${done}/${total} ${network}, fold ${fold}, seed ${seed}${dice}, ${Math.round(etaMs / 6e4)} min left`,
      )
    }
  const { files, ...result } = await run
  // Of all calls: an interrupted one leaves its part only in checkpoints, and is not counted.
  const elapsed = join(out, budget, 'elapsed.json')
  const before = existsSync(elapsed)
    ? (JSON.parse(readFileSync(elapsed, 'utf8')) as { minutes: number }).minutes
    : 0
  const minutes = before + Math.round((performance.now() - startMs) / 6e4)
  writeFileSync(elapsed, JSON.stringify({ minutes }))
  const folder = join(root, 'bench', 'results', 'paper')
  mkdirSync(folder, { recursive: true })
  const record = {
    command: `npm run bench:paper -- --budget ${budget}`,
    data: 'COVID-19-CT100',
    date: new Date().toISOString().slice(0, 10),
    machine: `${availableParallelism()} × ${cpus()[0]!.model.trim()}`,
    minutes,
    ...result,
  }
  writeFileSync(join(folder, `${budget}.json`), `${JSON.stringify(record, undefined, 1)}\n`)
  console.log(`${minutes} minutes; ${files.page}`)
}

void main()
