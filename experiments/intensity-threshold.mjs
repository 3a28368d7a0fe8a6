// node experiments/intensity-threshold.mjs [FOLDS.csv] [TEST FOLD]
//
// What a segmenter has to beat: one band of gray values for all images, every pixel within it called lesion. The band
// (and the one-sided threshold) with the best mean Dice on the training folds is scored on the test fold. Of all
// 32 896 bands none is left out: with cumulative histograms each costs two subtractions per image.
import path from 'node:path'
import { root, sharedFolder } from '../scripts/paths.mjs'

const { decodeSamples, readDataset } = await import(path.join(root, 'dist', 'datasets', 'index.js'))

const levels = 256

/** Cumulative counts of gray values, of lesion pixels and of all: `[v]` counts the values below v. */
const cumulativeHistograms = ({ image, mask }) => {
  const { data, channels } = image
  if (!(data instanceof Uint8Array)) throw new Error('only images of 8 bits a channel are compared here')
  const lesion = new Uint32Array(levels + 1)
  const all = new Uint32Array(levels + 1)
  for (let pixel = 0; pixel < mask.data.length; pixel++) {
    const value = data[pixel * channels]
    all[value + 1]++
    if (mask.data[pixel] !== 0) lesion[value + 1]++
  }
  for (let value = 1; value <= levels; value++) {
    lesion[value] += lesion[value - 1]
    all[value] += all[value - 1]
  }
  return { lesion, all }
}

const histogramsOf = async (csv, folds) => {
  const { samples } = await readDataset({ path: csv, folds }, { task: 'segmentation' })
  const histograms = []
  for await (const decoded of decodeSamples(samples)) histograms.push(cumulativeHistograms(decoded))
  return histograms
}

/** Mean over images of 2 TP / (predicted + true), for lesion = [low, high] inclusive. */
const meanDice = (histograms, low, high) => {
  let sum = 0
  for (const { lesion, all } of histograms) {
    const truePositives = lesion[high + 1] - lesion[low]
    const predicted = all[high + 1] - all[low]
    sum += (2 * truePositives) / (predicted + lesion[levels])
  }
  return sum / histograms.length
}

const best = (histograms, bands) => {
  let found = { dice: -1 }
  for (const [low, high] of bands) {
    const dice = meanDice(histograms, low, high)
    if (dice > found.dice) found = { low, high, dice }
  }
  return found
}

const values = Array.from({ length: levels }, (_, value) => value)
const thresholds = values.map((low) => [low, levels - 1])
const bands = values.flatMap((low) => values.slice(low).map((high) => [low, high]))

const [csv = path.join(sharedFolder, 'data', 'covid19-ct100', 'folds.csv'), testFold = '1'] =
  process.argv.slice(2)
const trainFolds = ['1', '2', '3', '4', '5'].filter((fold) => fold !== testFold)
const training = await histogramsOf(csv, trainFolds)
const test = await histogramsOf(csv, [testFold])

const result = { trainFolds, testFold, trainImages: training.length, testImages: test.length }
for (const [name, candidates] of Object.entries({ threshold: thresholds, band: bands })) {
  const { low, high, dice } = best(training, candidates)
  result[name] = { low, high, trainDice: dice, testDice: meanDice(test, low, high) }
}
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
