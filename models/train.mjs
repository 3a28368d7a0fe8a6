// node models/train.mjs lungs|lesions [--fold N | --all] [--out runs] [--dist DIST]
//
// Trains one of the shipped models: for cross-validation without the volumes of fold N (1 to 4), or with --all on all of
// them. The model goes to OUT/NAME-fold-N/model.safetensors, that of all to models/NAME.safetensors, as it is shipped.
// Interrupted runs go on where they were, finished ones give their model again.
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { root } from '../scripts/paths.mjs'
import { folds, recipes, slicesOf } from './recipes.mjs'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    fold: { type: 'string' },
    all: { type: 'boolean', default: false },
    out: { type: 'string', default: path.join(root, 'runs') },
    dist: { type: 'string', default: path.join(root, 'dist') },
  },
})
const { train } = await import(path.join(values.dist, 'index.js'))

const [name] = positionals
const recipe = recipes[name]
const held = values.all ? [] : folds[Number(values.fold) - 1]
if (!recipe || !held) throw new Error('usage: node models/train.mjs lungs|lesions [--fold 1…4 | --all]')

const directory = path.join(values.out, `${name}-${values.all ? 'all' : `fold-${values.fold}`}`)
await mkdir(directory, { recursive: true })
const checkpoint = path.join(directory, 'checkpoint.safetensors')
const volumes = folds.flat().filter((volume) => !held.includes(volume))
const run = train({
  ...recipe.train,
  data: { train: volumes.flatMap((volume) => slicesOf(volume, recipe.target)) },
  checkpoint: { directory, every: 2 },
  ...(existsSync(checkpoint) && { resume: checkpoint }),
})
let epoch = 0
for await (const event of run) {
  if (event.phase !== 'train' || event.epoch === epoch) continue
  epoch = event.epoch
  const minutes = Math.round((event.etaMs ?? 0) / 6e4)
  process.stdout.write(`epoch ${epoch}/${event.epochs} loss ${event.loss.toFixed(4)}, ${minutes} min left\n`)
}
const { model } = await run
const { notice, minLesionAreaMm2 } = recipe
if (values.all)
  await model.save(path.join(root, 'models', `${name}.safetensors`), {
    weights: 'bf16',
    notice,
    minLesionAreaMm2,
  })
else await model.save(path.join(directory, 'model.safetensors'))
await model.dispose()
