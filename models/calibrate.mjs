// node models/calibrate.mjs [--lesions FILE] [--lungs FILE] [--runs runs] [--dist DIST]
//
// From what area on a slice counts as infected, where no classifier says so: `minLesionAreaMm2` of the recipe. The largest
// that nine in ten slices of volumes held out in cross-validation exceed, patients weighing alike; all of them have
// lesions. Beside it, how many slices of ../shared/data/uninfected stay below it: its DICOM slices, whose patients have
// lung cancer or nodules, which are outlined too. Pictures without spacing count as 350 mm wide.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { root } from '../scripts/paths.mjs'
import { dataFolder, folds, slicesOf } from './recipes.mjs'

const { values } = parseArgs({
  options: {
    lesions: { type: 'string', default: path.join(root, 'models', 'lesions.safetensors') },
    lungs: { type: 'string', default: path.join(root, 'models', 'lungs.safetensors') },
    runs: { type: 'string', default: path.join(root, 'runs') },
    dist: { type: 'string', default: path.join(root, 'dist') },
  },
})
const { loadModel, readDataset, segment } = await import(path.join(values.dist, 'index.js'))
const { samples: listed } = await readDataset(path.join(dataFolder, 'uninfected', 'slices.csv'))
const uninfected = listed.filter(({ image }) => image.endsWith('.dcm'))

/** Of lesions inside the lungs, mm². */
const areasOf = async (lesionFile, lungFile, images) => {
  const [lesions, lungs] = [await loadModel(lesionFile), await loadModel(lungFile)]
  const [found, inLungs] = [await segment(lesions, images), await segment(lungs, images)]
  await Promise.all([lesions.dispose(), lungs.dispose()])
  return found.map(({ mask, areaPixels, areaMm2, width }, i) => {
    const inside = mask.reduce((sum, value, at) => sum + (value & inLungs[i].mask[at]), 0)
    const pixelMm2 = areaMm2 === undefined ? (350 / width) ** 2 : areaMm2 / Math.max(1, areaPixels)
    return inside * pixelMm2
  })
}

const samples = []
const add = (areas, patients, infected) => {
  samples.push(...areas.map((areaMm2, i) => ({ areaMm2, infected, patient: patients[i] })))
}
for (const [index, held] of folds.entries()) {
  const fileOf = (name) => path.join(values.runs, `${name}-fold-${index + 1}`, 'model.safetensors')
  if (!existsSync(fileOf('lesions'))) continue
  const slices = held.flatMap((volume) => slicesOf(volume, 'lesion'))
  const images = slices.map(({ image }) => image)
  const areas = await areasOf(fileOf('lesions'), fileOf('lungs'), images)
  add(
    areas,
    slices.map(({ patient }) => patient),
    true,
  )
}
add(
  await areasOf(
    values.lesions,
    values.lungs,
    uninfected.map(({ image }) => image),
  ),
  uninfected.map(({ patient }) => patient),
  false,
)

const shareAbove = (infected, threshold) => {
  const some = samples.filter((sample) => sample.infected === infected)
  const patients = [...new Set(some.map(({ patient }) => patient))]
  const shares = patients.map((patient) => {
    const own = some.filter((sample) => sample.patient === patient)
    return own.filter(({ areaMm2 }) => areaMm2 > threshold).length / own.length
  })
  return shares.reduce((sum, share) => sum + share, 0) / shares.length
}
const rowsOf = Array.from({ length: 120 }, (_, i) => 5 * i).map((minLesionAreaMm2) => {
  const sensitivity = shareAbove(true, minLesionAreaMm2)
  const specificity = 1 - shareAbove(false, minLesionAreaMm2)
  return { minLesionAreaMm2, sensitivity, specificity }
})
console.table(rowsOf.filter((_, i) => i % 6 === 0))
console.log(rowsOf.findLast(({ sensitivity }) => sensitivity >= 0.9))
