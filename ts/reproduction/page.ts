import { chartStyle, dotChart, lineChart } from '../report/chart'
import { type Html, html } from '../report/html'
import { factTable, notes, page } from '../report/page'
import type { SlicePictures } from '../report/slice-pictures'
import type { CaseThresholds } from './case-thresholds'
import type { ExamplePictures } from './examples'
import type { LesionStatistics } from './lesion-statistics'
import type { Reproduction } from './result'
import { percent, type Section, sectionsOf } from './sections'

/** What only the page shows. */
export interface ReproductionPictures {
  /** Of figure 9, row by row. */
  activationMaps?: { name: string; pictures: SlicePictures[] }[]
  /** Of figure 10. */
  examples?: ExamplePictures
}

/** All results on one page that asks the network for nothing. */
export function reproductionPage(result: Reproduction, pictures: ReproductionPictures): string {
  const content = html`
${notes(result.caveats)}
${sectionsOf(result).map(
  (section) => html`<section class="card"><h2>${section.title}</h2>
  ${figureOf(section, result, pictures)}
  ${section.sentences.map((sentence) => html`<p>${sentence}</p>`)}
  <div class="scroll">${tableOf(section)}</div></section>`,
)}
<section class="card"><h2>How</h2>${factTable(factsOf(result))}</section>`
  const title = 'The paper’s experiments, made again'
  return page({ title, subtitle: 'JCS, IEEE TIP 2021' }, content, chartStyle + style)
}

function factsOf({ budget, samples, folds, device, precision, library }: Reproduction): [string, string][] {
  const segmenters: [string, string][] = [
    ['data', `${samples} slices in ${folds} folds`],
    ['seeds', budget.seeds.join(', ')],
    ['width', String(budget.width)],
    ['input', `${budget.inputSize} × ${budget.inputSize}`],
    ['epochs', `${budget.epochs}, ${budget.batchSize} slices a step`],
    ['trained on', `${device}, ${precision}`],
  ]
  return [...(samples > 0 ? segmenters : []), ['library', `jcs-ct ${library}`]]
}

function figureOf(
  { experiment }: Section,
  result: Reproduction,
  pictures: ReproductionPictures,
): Html | undefined {
  if (experiment === 'table-4') return reliabilityDiagram(result.caseThresholds!)
  if (experiment === 'figure-11') return areaChart(result.lesions!)
  if (experiment === 'figure-9') return mapsFigure(pictures.activationMaps ?? [])
  if (experiment === 'figure-10') return html`${(pictures.examples ?? []).map(rowOfPictures)}`
  return undefined
}

/** Of a calibrated classifier both lines are one. */
function reliabilityDiagram({ reliability }: CaseThresholds): Html {
  const filled = reliability.filter(({ samples }) => samples > 0)
  return lineChart(
    [
      {
        name: 'share of slices that are infected',
        points: filled.map(({ meanProbability, positives }) => ({ x: meanProbability, y: positives })),
      },
      {
        name: 'calibrated',
        points: [
          { x: 0, y: 0 },
          { x: 1, y: 1 },
        ],
      },
    ],
    {
      title: 'Reliability of the classifier',
      xLabel: 'probability of infection',
      range: [0, 1],
      format: (value) => percent(value, 0),
    },
  )
}

function areaChart({ points }: LesionStatistics): Html {
  const inMm = points.every(({ areaMm2 }) => areaMm2 !== undefined)
  return dotChart(
    points.map(({ areaPixels, areaMm2, dice }) => ({ x: inMm ? areaMm2! : areaPixels, y: dice })),
    {
      title: 'Dice, %',
      xLabel: inMm ? 'area of the lesions, mm²' : 'area of the lesions, pixels',
      range: [0, 1],
      format: (value) => percent(value, 0),
    },
  )
}

/** One row of slices without a map, to see what is there, then one for every training. */
function mapsFigure(rows: NonNullable<ReproductionPictures['activationMaps']>): Html {
  const [first] = rows
  if (!first) return html``
  const bare = first.pictures.map(({ activation: _, ...rest }) => ({ name: 'ground truth', pictures: rest }))
  return html`${rowOfPictures(bare)}${rows.map(({ name, pictures }) =>
    rowOfPictures(pictures.map(({ lesions: _, ...rest }) => ({ name, pictures: rest }))),
  )}`
}

function rowOfPictures(row: readonly { name: string; pictures: SlicePictures }[]): Html {
  return html`<div class="pictures">${row.map(
    ({ name, pictures: { slice, lesions, activation } }) => html`<figure>
    <div class="stack"><img src="${slice}" alt="">${activation && html`<img src="${activation}" alt="">`}${lesions && html`<img src="${lesions}" alt="">`}</div>
    <figcaption>${name}</figcaption></figure>`,
  )}</div>`
}

function tableOf({ header, rows }: Section): Html {
  return html`<table><thead><tr>${header.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead>
  <tbody>${rows.map(
    ([name, ...cells]) =>
      html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`,
  )}</tbody></table>`
}

const style = `
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(120px, 1fr)); gap: 8px; margin: 0 0 12px; }
.pictures figure { margin: 0; min-width: 0; }
.pictures figcaption { color: var(--soft); font-size: 0.82rem; }
.stack { position: relative; }
.stack img { display: block; width: 100%; border-radius: 6px; }
.stack img + img { position: absolute; inset: 0; height: 100%; }
`
