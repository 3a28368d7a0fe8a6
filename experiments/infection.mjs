// node experiments/infection.mjs [--seeds 3] [--out experiments/results/infection.json] [--dist DIST]
//
// Whether a classifier that was trained on coronacases alone tells infected slices of another source. Every slice there
// has lesions, and healthy slices come from elsewhere: a network would learn the source. So a picture is one lung of a
// slice, with lesions or without, and both labels come from the same patients. Scored once on covid-P002, by the worse
// lung of each slice, beside what needs no classifier: where the slice lies, how large its lungs are, the area of lesions
// that the shipped models outline, and a classifier that sees all of the picture but the lung.
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { dataFolder, folds, labelsOf, window } from '../models/recipes.mjs'
import { rounded } from '../models/scores.mjs'
import { root } from '../scripts/paths.mjs'
import { balanced, cutLungs, lungClassifier, lungsOf } from './lungs-apart.mjs'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '3' },
    out: { type: 'string', default: path.join(root, 'experiments', 'results', 'infection.json') },
    dist: { type: 'string', default: path.join(root, 'dist') },
  },
})
const { classify, diagnose, loadModel, metrics, openCase, readDataset, train } = await import(
  path.join(values.dist, 'index.js')
)
const { applyWindow } = await import(path.join(values.dist, 'images', 'index.js'))

const settings = {
  ...lungClassifier,
  ema: { decay: 0.995 },
  // The other source looks otherwise: noisier, of another contrast.
  augmentation: { ...lungClassifier.augmentation, noise: 0.3, windowCenter: 0.1, windowWidth: 0.3 },
  threads: 2,
}

const samples = (await Promise.all(folds.flat().map(lungsOf))).flat()

/** The picture with nothing where the lung is. */
const withoutLung = ({ image, lung, ...rest }) => ({
  ...rest,
  lung,
  image: { ...image, data: image.data.map((value, at) => (lung.data[at] ? 0 : value)) },
})

const folder = path.join(dataFolder, 'dicom', 'covid-ct-md', 'covid-P002')
const labels = await labelsOf(readDataset, folder)

/** The slices of covid-P002, whose lungs the shipped model outlines: the pictures of each, its label and areas. */
async function readCase() {
  const scan = openCase(folder)
  const [lungs, segmenter] = [await loadModel('lungs'), await loadModel('lesions')]
  const { slices } = await diagnose({ segmenter, lungs }, scan, { sliceThreshold: 0 })
  const read = []
  for (const { index, lungMask, lesionAreaMm2 } of slices) {
    const { data: hu, width } = await scan.image(index)
    const data = Uint8Array.from(applyWindow(hu, window), (value) => 255 * value)
    read.push({
      label: labels.get(scan.names[index]),
      lungPixels: lungMask.reduce((sum, value) => sum + value, 0),
      lesionAreaMm2,
      pictures: cutLungs({ data, width, lesion: lungMask, lung: lungMask }),
    })
  }
  scan.dispose()
  await Promise.all([lungs.dispose(), segmenter.dispose()])
  return read
}

const slices = await readCase()
const truth = Uint8Array.from(slices, ({ label }) => label)
const aucOf = (scores) => {
  const least = Math.min(...scores)
  const range = Math.max(...scores) - least || 1
  return metrics.classification(
    Float32Array.from(scores, (score) => (score - least) / range),
    truth,
  ).auc
}

/** The probability of the worse lung of each slice; of slices without lungs, 0. */
async function scoresOf(model, change) {
  const pictures = slices.flatMap(({ pictures }, slice) =>
    pictures.map((picture) => ({ slice, image: change(picture).image })),
  )
  const found = await classify(
    model,
    pictures.map(({ image }) => image),
  )
  const scores = slices.map(() => 0)
  found.forEach(({ probability }, i) => {
    const { slice } = pictures[i]
    scores[slice] = Math.max(scores[slice], probability)
  })
  return scores
}

const aucs = { lung: [], surroundings: [] }
for (let seed = 0; seed < Number(values.seeds); seed++) {
  for (const [sees, change] of Object.entries({ lung: (sample) => sample, surroundings: withoutLung })) {
    const { model } = await train({ ...settings, seed, data: { train: balanced(samples).map(change) } })
    aucs[sees].push(aucOf(await scoresOf(model, change)))
    console.log(sees, seed, aucs[sees].at(-1))
    await model.dispose()
  }
}

const withLungs = slices.flatMap(({ lungPixels }, index) => (lungPixels > 0 ? [index] : []))
const middle = (withLungs[0] + withLungs.at(-1)) / 2 // infected slices are rarer at apex and base
const record = {
  command: 'node experiments/infection.mjs',
  date: new Date().toISOString().slice(0, 10),
  machine: `${availableParallelism()} × ${cpus()[0].model.trim()}`,
  trainedOn: `${samples.length} lungs of ${new Set(samples.map(({ patient }) => patient)).size} patients, ${samples.filter(({ label }) => label === 0).length} without lesions`,
  slices: slices.length,
  infected: truth.reduce((sum, label) => sum + label, 0),
  auc: {
    classifier: rounded(aucs.lung),
    'classifier of the surroundings': rounded(aucs.surroundings),
    'position of the slice': rounded(aucOf(slices.map((_, index) => -Math.abs(index - middle)))),
    'area of the lungs': rounded(aucOf(slices.map(({ lungPixels }) => lungPixels))),
    'area of lesions': rounded(aucOf(slices.map(({ lesionAreaMm2 }) => lesionAreaMm2))),
  },
}
await mkdir(path.dirname(values.out), { recursive: true })
await writeFile(values.out, `${JSON.stringify(record, null, 2)}\n`)
console.log(JSON.stringify(record, null, 2))
