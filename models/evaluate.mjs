// node models/evaluate.mjs lungs|lesions [--runs runs] [--dist DIST]
//
// Cross-validation of a shipped model: each volume is segmented by the model that was trained without it
// (models/train.mjs NAME --fold 1 … 4) and scored against its published mask. Writes models/cards/NAME.json.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import { root } from '../scripts/paths.mjs'
import { folds, patientOf, recipes, slicesOf } from './recipes.mjs'
import { countsOf, diceOf, intervalOf, meanOf, rounded, sumOf } from './scores.mjs'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: path.join(root, 'runs') },
    dist: { type: 'string', default: path.join(root, 'dist') },
  },
})
const { loadModel, segment } = await import(path.join(values.dist, 'index.js'))
const [name] = positionals
const recipe = recipes[name]
if (!recipe) throw new Error('usage: node models/evaluate.mjs lungs|lesions')

const maskOf = async (file) => {
  const pixels = await sharp(file).greyscale().raw().toBuffer()
  return pixels.map((value) => (value === 0 ? 0 : 1))
}

const volumes = []
for (const [index, held] of folds.entries()) {
  const file = path.join(values.runs, `${name}-fold-${index + 1}`, 'model.safetensors')
  const model = await loadModel(file, { threads: 2 })
  for (const volume of held) {
    const slices = slicesOf(volume, recipe.target)
    const found = await segment(
      model,
      slices.map(({ image }) => image),
    )
    const counts = []
    for (const [i, { mask }] of slices.entries()) counts.push(countsOf(found[i].mask, await maskOf(mask)))
    volumes.push({ volume, patient: patientOf(volume), fold: index + 1, counts })
  }
  await model.dispose()
}

const perSlice = (some) => meanOf(some.flatMap(({ counts }) => counts.map(diceOf)))
const perVolume = (some) => meanOf(some.map(({ counts }) => diceOf(sumOf(counts))))
const patients = [...new Set(volumes.map(({ patient }) => patient))]
const groups = patients.map((patient) => volumes.filter((volume) => volume.patient === patient))
const withInterval = (statistic) => ({
  value: rounded(statistic(volumes)),
  interval95: rounded(intervalOf(groups, (drawn) => statistic(drawn.flat()))),
})
const card = {
  command: `node models/evaluate.mjs ${name}`,
  date: new Date().toISOString().slice(0, 10),
  machine: `${availableParallelism()} × ${cpus()[0].model.trim()}`,
  protocol: `four folds of whole patients, ${volumes.length} volumes of ${patients.length} patients, ${volumes.flatMap(({ counts }) => counts).length} slices`,
  settings: recipe.train,
  dicePerSlice: withInterval(perSlice),
  dicePerVolume: withInterval(perVolume),
  volumes: volumes.map(({ volume, fold, counts }) => ({
    volume,
    fold,
    slices: counts.length,
    dicePerSlice: rounded(perSlice([{ counts }])),
    dicePerVolume: rounded(diceOf(sumOf(counts))),
  })),
}
const file = path.join(root, 'models', 'cards', `${name}.json`)
await mkdir(path.dirname(file), { recursive: true })
const before = JSON.parse(await readFile(file, 'utf8').catch(() => '{}'))
await writeFile(file, `${JSON.stringify({ ...before, crossValidation: card }, null, 2)}\n`)
console.log(JSON.stringify(card, null, 2))
