// node models/tables.mjs [--check]
//
// Writes the figures of models/README.md from the cards, or checks that they are those.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { root } from '../scripts/paths.mjs'

const folder = path.join(root, 'models')
const cardOf = (name) => JSON.parse(readFileSync(path.join(folder, 'cards', `${name}.json`), 'utf8'))
const sha256Of = (name) =>
  createHash('sha256')
    .update(readFileSync(path.join(folder, `${name}.safetensors`)))
    .digest('hex')
const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

const names = ['lesions', 'lungs']
const validations = names.map((name) => cardOf(name).crossValidation)
const withInterval = ({ value, interval95: [low, high] }) => `${value} (${low} to ${high})`
const { windows: _, command: __, date, ...cases } = cardOf('hu')
const trial = JSON.parse(readFileSync(path.join(root, 'experiments', 'results', 'infection.json'), 'utf8'))
const content = `
${table(
  ['cross-validation', 'Dice per slice (95 % interval over patients)', 'Dice per volume', 'worst volume'],
  names.map((name, i) => {
    const { dicePerSlice, dicePerVolume, volumes } = validations[i]
    const worst = volumes.reduce((one, other) => (other.dicePerVolume < one.dicePerVolume ? other : one))
    return [
      `\`${name}\``,
      withInterval(dicePerSlice),
      withInterval(dicePerVolume),
      `${worst.volume}: ${worst.dicePerVolume}`,
    ]
  }),
)}

Both by ${validations[0].protocol}: ${validations.map(({ command, date: day }) => `\`${command}\`, ${day}`).join('; ')}.

${table(
  [
    'DICOM case',
    'lesions, % of the lungs',
    'AUC of lesion area',
    'lungs beside region growing, Dice per volume',
  ],
  Object.entries(cases).map(([name, { percent, aucOfLesionArea = '–', lungsBesideRegionGrowing }]) => [
    name,
    percent,
    aucOfLesionArea,
    lungsBesideRegionGrowing.dicePerVolume,
  ]),
)}

No part of any training, \`node models/score-hu.mjs\`, ${date}. The area ranks a radiologist's labels of the slices of covid-P002; its lungs are compared on the slices without infection. normal-001 has none.

A classifier was tried and is not shipped ([below](#no-classifier)): ${trial.trainedOn}, ${trial.auc.classifier.length} seeds, \`${trial.command}\`, ${trial.date}.

${table(
  [`what ranks the ${trial.slices} slices of covid-P002, ${trial.infected} of them infected`, 'AUC'],
  // Of the shipped model, which may be newer than the trial.
  Object.entries({ ...trial.auc, 'area of lesions': cases['covid-P002'].aucOfLesionArea }).map(
    ([what, auc]) => [what, [auc].flat().join(', ')],
  ),
)}

${table(
  ['file', 'SHA-256'],
  names.map((name) => [`\`${name}.safetensors\``, `\`${sha256Of(name)}\``]),
)}
`

const [begin, end] = ['<!-- node models/tables.mjs writes from here -->', '<!-- to here -->']
const file = path.join(folder, 'README.md')
const text = readFileSync(file, 'utf8')
const [before] = text.split(begin)
const [, after] = text.split(end)
const wanted = `${before}${begin}\n${content}\n${end}${after}`
if (!process.argv.includes('--check')) writeFileSync(file, wanted)
else if (text !== wanted) {
  console.error('models/README.md does not show the figures of models/cards; run `node models/tables.mjs`')
  process.exitCode = 1
}
