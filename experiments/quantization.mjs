// node experiments/quantization.mjs [--classifier FILE] [--dist DIST]
//
// What computing in 8 bits costs in accuracy: a classifier trained on COVID-CT (experiments/configs/covid-ct.json, or
// FILE, which has to be of such a run) and the shipped model `lesions` are quantised on a few slices and scored before
// and after, the classifier on the part that it was not trained on. `lesions` was trained on the slices that it is scored
// on: only the difference says something. Writes experiments/results/quantization.json.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { root, sharedFolder } from '../scripts/paths.mjs'

const { values } = parseArgs({
  options: { classifier: { type: 'string' }, dist: { type: 'string', default: path.join(root, 'dist') } },
})
const { evaluate, loadModel, quantize, readDataset, segment, train } = await import(
  path.join(values.dist, 'index.js')
)
const dataFolder = path.join(sharedFolder, 'data')
const runtime = { device: 'cpu' }
const unscored = { bootstrap: { resamples: 0 } }

/** Scores of the model as it is saved, by precision. */
async function scoredInBoth(model, score) {
  const file = path.join(root, 'runs', 'quantization.safetensors')
  await mkdir(path.dirname(file), { recursive: true })
  await model.save(file)
  const scores = []
  for (const precision of ['fp32', 'int8']) {
    const loaded = await loadModel(file, { ...runtime, precision })
    scores.push(await score(loaded))
    await loaded.dispose()
  }
  return scores
}

const inBytes = ({ layers }) => layers.filter(({ leftFor }) => !leftFor).length
const rounded = (value) => Number(value.toPrecision(4))

async function classifier() {
  const config = JSON.parse(await readFile(path.join(root, 'experiments/configs/covid-ct.json'), 'utf8'))
  const data = path.join(dataFolder, config.train.data.train)
  const model = values.classifier
    ? await loadModel(values.classifier, { ...runtime, precision: 'fp32' })
    : (await train({ ...config.train, precision: 'fp32', data: { train: data } })).model
  const { samples } = await readDataset(data)
  const of = (label) => samples.filter((sample) => sample.label === label).slice(0, 16)
  const slices = [...of(1), ...of(0)].map(({ image }) => image)
  const found = await quantize(model, slices, { measureSpeed: false })
  const test = path.join(dataFolder, config.test)
  const [before, after] = await scoredInBoth(model, (loaded) => evaluate(loaded, test, unscored))
  const changes = Array.from(before.probabilities, (p, i) => Math.abs(p - after.probabilities[i]))
  const result = {
    network: 'res2net50-v1b of width 0.25, covid-ct',
    slicesSeen: slices.length,
    layers: found.layers.length,
    layersInt8: inBytes(found),
    changeOfAll: rounded(found.changeOfAll),
    samples: before.samples,
    auc: { fp32: rounded(before.auc), int8: rounded(after.auc) },
    accuracy: { fp32: rounded(before.accuracy), int8: rounded(after.accuracy) },
    meanProbabilityChange: rounded(changes.reduce((sum, change) => sum + change, 0) / changes.length),
    largestProbabilityChange: rounded(Math.max(...changes)),
  }
  await model.dispose()
  return result
}

async function segmenter() {
  const folder = path.join(dataFolder, 'coronacases')
  const every = async (step, first) => {
    const volumes = (await readdir(folder)).sort()
    const slices = volumes.map(async (volume) => {
      const files = (await readdir(path.join(folder, volume, 'ct'))).sort()
      return files
        .filter((_, i) => i % step === first)
        .map((file) => ({
          image: path.join(folder, volume, 'ct', file),
          mask: path.join(folder, volume, 'lesion', file),
        }))
    })
    return (await Promise.all(slices)).flat()
  }
  const model = await loadModel(path.join(root, 'models/lesions.safetensors'), {
    ...runtime,
    precision: 'fp32',
  })
  const seen = (await every(40, 20)).map(({ image }) => image)
  const found = await quantize(model, seen, { measureSpeed: false })
  const samples = await every(10, 5)
  const score = async (loaded) => ({
    dice: (await evaluate(loaded, samples, unscored)).dice,
    masks: (
      await segment(
        loaded,
        samples.map(({ image }) => image),
      )
    ).map(({ mask }) => mask),
  })
  const [before, after] = await scoredInBoth(model, score)
  let both = 0
  let all = 0
  for (const [i, mask] of before.masks.entries())
    for (const [at, value] of mask.entries()) {
      both += value & after.masks[i][at]
      all += value + after.masks[i][at]
    }
  await model.dispose()
  return {
    network: 'lesions (jcs-segmentation of width 0.25), coronacases',
    slicesSeen: seen.length,
    layers: found.layers.length,
    layersInt8: inBytes(found),
    changeOfAll: rounded(found.changeOfAll),
    samples: samples.length,
    dice: { fp32: rounded(before.dice), int8: rounded(after.dice) },
    diceOfMasksOnEachOther: rounded((2 * both) / all),
  }
}

const record = {
  command: `node experiments/quantization.mjs${values.classifier ? ' --classifier FILE' : ''}`,
  date: new Date().toISOString().slice(0, 10),
  machine: `${availableParallelism()} × ${cpus()[0].model.trim()}`,
  classifier: await classifier(),
  segmenter: await segmenter(),
}
await writeFile(
  path.join(root, 'experiments/results/quantization.json'),
  `${JSON.stringify(record, undefined, 2)}\n`,
)
console.log(JSON.stringify(record, undefined, 2))
