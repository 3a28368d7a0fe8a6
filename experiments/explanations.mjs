// node experiments/explanations.mjs [--out experiments/results/explanations.json] [--dist DIST]
//
// Whether activation maps point at lesions: classifiers with coarse and fine features, with and without equation (4),
// scored by `evaluate`. On phantoms, patients apart; on coronacases, whole volumes apart, four folds. Every slice there
// shows an infection, so a picture is one lung of a slice: with lesions, or without. Rows are written as they come; an
// interrupted run goes on behind them, and a fresh one begins without the file.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { folds } from '../models/recipes.mjs'
import { rounded } from '../models/scores.mjs'
import { root } from '../scripts/paths.mjs'
import { balanced, lungClassifier, lungsOf } from './lungs-apart.mjs'

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: path.join(root, 'experiments', 'results', 'explanations.json') },
    dist: { type: 'string', default: path.join(root, 'dist') },
  },
})
const record = JSON.parse(await readFile(values.out, 'utf8').catch(() => '{}'))
const { evaluate, train } = await import(path.join(values.dist, 'index.js'))
const { generateDataset } = await import(path.join(values.dist, 'phantom', 'index.js'))
const { demoPlan } = await import(path.join(values.dist, 'demo', 'plan.js'))

const variants = {
  'stride 8, equation (4) weighted': { outputStride: 8, activationLoss: true },
  'stride 8': { outputStride: 8, activationLoss: false },
  'stride 32, equation (4)': { outputStride: 32, activationLoss: true, activationLossWeight: 1 },
  'stride 8, equation (4)': { outputStride: 8, activationLoss: true, activationLossWeight: 1 },
}
const chances = ['pointingGameAtRandom', 'massInLesionsAtRandom']
const names = ['auc', 'pointingGame', 'massInLesions', ...chances]

/** Trains each variant on each part and scores it; means over the slices of all parts. */
async function compare(data, settings, parts) {
  const rows = { ...record[data] }
  for (const [name, { outputStride, ...loss }] of Object.entries(variants)) {
    if (rows[name]) continue
    const scores = []
    for (const { train: samples, test } of parts) {
      const spec = { ...settings.spec, outputStride }
      const { model } = await train({ ...settings, ...loss, spec, data: { train: samples } })
      const { auc, explanation } = await evaluate(model, test)
      scores.push({ auc, ...explanation })
      await model.dispose()
    }
    const slices = scores.reduce((sum, score) => sum + score.slices, 0)
    const mean = (metric) => scores.reduce((sum, score) => sum + score[metric] * score.slices, 0) / slices
    rows[name] = {
      slices,
      ...Object.fromEntries(names.map((metric) => [metric, rounded(mean(metric))])),
    }
    console.log(data, name, rows[name])
    await save({ [data]: rows })
  }
}

async function save(rows) {
  Object.assign(record, {
    command: 'node experiments/explanations.mjs',
    date: new Date().toISOString().slice(0, 10),
    machine: `${availableParallelism()} × ${cpus()[0].model.trim()}`,
    ...rows,
  })
  await mkdir(path.dirname(values.out), { recursive: true })
  await writeFile(values.out, `${JSON.stringify(record, null, 2)}\n`)
}

const runtime = { threads: 2, seed: 0 }

const apart = new Map(await Promise.all(folds.flat().map(async (volume) => [volume, await lungsOf(volume)])))
const lungsOfAll = (volumes) => volumes.flatMap((volume) => apart.get(volume))
const parts = folds.map((held) => ({
  train: balanced(lungsOfAll(folds.flat().filter((volume) => !held.includes(volume)))),
  test: lungsOfAll(held),
}))
await compare('coronacases', { ...lungClassifier, activationLossWeight: 50, ...runtime }, parts)

const { validateEvery: _, ...demoClassifier } = demoPlan.classifier
await compare('phantoms', { ...demoClassifier, ...runtime, precision: demoPlan.precision }, [
  {
    train: generateDataset(1, { cases: demoPlan.trainCases, size: demoPlan.trainingSize }),
    test: generateDataset(2, { cases: 120, size: demoPlan.caseSize }),
  },
])
