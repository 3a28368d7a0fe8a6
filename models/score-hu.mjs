// node models/score-hu.mjs [--lungs FILE] [--lesions FILE] [--dist DIST] [--windows]
//
// The shipped models on whole DICOM cases, which nothing was trained or chosen on: how well the area of lesions tells a
// radiologist's infected slices from the others, how much of healthy lungs is called lesion, and how lungs agree with
// region growing in HU. With --windows, again over other windows. Writes models/cards/hu.json.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { root } from '../scripts/paths.mjs'
import { dataFolder, labelsOf } from './recipes.mjs'
import { growLungs } from './region-growing.mjs'
import { countsOf, diceOf, meanOf, rounded, sumOf } from './scores.mjs'

const { values } = parseArgs({
  options: {
    lungs: { type: 'string', default: path.join(root, 'models', 'lungs.safetensors') },
    lesions: { type: 'string', default: path.join(root, 'models', 'lesions.safetensors') },
    dist: { type: 'string', default: path.join(root, 'dist') },
    windows: { type: 'boolean', default: false },
  },
})
const { diagnose, loadModel, metrics, openCase, readDataset } = await import(
  path.join(values.dist, 'index.js')
)
const dicom = path.join(dataFolder, 'dicom')
const lungs = await loadModel(values.lungs)
const segmenter = await loadModel(values.lesions)

const labels = await labelsOf(readDataset, path.join(dicom, 'covid-ct-md', 'covid-P002'))

const run = async (folder, window) => {
  const scan = openCase(path.join(dicom, folder), { ...(window && { window }) })
  const diagnosis = await diagnose({ segmenter, lungs }, scan, { sliceThreshold: 0 })
  const hu = []
  for (const { index } of diagnosis.slices) hu.push((await scan.image(index)).data)
  const { width, height, spacing } = await scan.image(0)
  const names = [...scan.names]
  scan.dispose()
  return { diagnosis, hu, width, height, pixelMm2: spacing[0] * spacing[1], names }
}

/** Of lesion areas; a score for `metrics` is in [0, 1]. */
const aucWithin = ({ diagnosis, names }) => {
  const areas = diagnosis.slices.map(({ lesionAreaMm2 }) => lesionAreaMm2)
  const largest = Math.max(1, ...areas)
  return metrics.classification(
    Float32Array.from(areas, (area) => area / largest),
    Uint8Array.from(names, (name) => labels.get(name)),
  ).auc
}

const agreement = ({ diagnosis, hu, width, height, pixelMm2 }, isCounted = () => true) => {
  const grown = growLungs(hu, width, height, pixelMm2)
  const counts = diagnosis.slices
    .filter(isCounted)
    .map(({ index, lungMask }) => countsOf(lungMask, grown[index]))
  const shown = counts.filter(({ found, truth }) => found + truth > 0)
  return { dicePerVolume: rounded(diceOf(sumOf(counts))), dicePerSlice: rounded(meanOf(shown.map(diceOf))) }
}

const summary = ({ diagnosis: { involvement } }) => ({
  lungVolumeMl: Math.round(involvement.lungVolumeMl),
  percent: rounded(involvement.percent),
  outsideMl: rounded(involvement.lesionOutsideLungsMl, 1),
  severityScore: involvement.severityScore,
})

const covid = await run('covid-ct-md/covid-P002')
const normal = await run('covid-ct-md/normal-001')
const siemens = await run('siemens-thorax')
const isUninfected = (_, index) => labels.get(covid.names[index]) === 0
const scores = {
  command: `node models/score-hu.mjs${values.windows ? ' --windows' : ''}`,
  date: new Date().toISOString().slice(0, 10),
  'covid-P002': {
    ...summary(covid),
    aucOfLesionArea: rounded(aucWithin(covid)),
    lungsBesideRegionGrowing: agreement(covid, isUninfected),
  },
  'normal-001': { ...summary(normal), lungsBesideRegionGrowing: agreement(normal) },
  'siemens-thorax': { ...summary(siemens), lungsBesideRegionGrowing: agreement(siemens) },
}
if (values.windows) {
  scores.windows = []
  for (const [center, width] of [
    [-600, 1500],
    [-500, 1500],
    [-400, 1200],
    [-400, 1600],
    [-300, 1600],
    [-300, 2000],
    [-300, 2400],
    [-200, 2000],
  ]) {
    const [infected, healthy] = [
      await run('covid-ct-md/covid-P002', { center, width }),
      await run('covid-ct-md/normal-001', { center, width }),
    ]
    scores.windows.push({
      center,
      width,
      aucOfLesionArea: rounded(aucWithin(infected)),
      percentOfHealthyLungs: rounded(healthy.diagnosis.involvement.percent),
    })
  }
}
const file = path.join(root, 'models', 'cards', 'hu.json')
await mkdir(path.dirname(file), { recursive: true })
await writeFile(file, `${JSON.stringify(scores, null, 2)}\n`)
console.log(JSON.stringify(scores, null, 2))
await Promise.all([lungs.dispose(), segmenter.dispose()])
