import { chartStyle, dotChart } from '../report/chart'
import { type Html, html } from '../report/html'
import { factTable, notes, page } from '../report/page'
import type { LesionStatistics } from './lesion-statistics'
import { cellsOf, distributionCellsOf, percent, sharesText } from './markdown'
import type { Reproduction } from './result'

/** All results on one page that asks the network for nothing. */
export function reproductionPage(result: Reproduction): string {
  const { budget, samples, folds, tables, lesions, caveats } = result
  const content = html`
${notes(caveats)}
${tables.map(
  (table) => html`<section class="card"><h2>${table.title}</h2>
  <div class="scroll">${tableHtml(cellsOf(table))}</div></section>`,
)}
${lesions && lesionCard(lesions)}
<section class="card"><h2>How</h2>${factTable([
    ['data', `${samples} slices in ${folds} folds`],
    ['seeds', budget.seeds.join(', ')],
    ['width', String(budget.width)],
    ['input', `${budget.inputSize} × ${budget.inputSize}`],
    ['epochs', `${budget.epochs}, ${budget.batchSize} slices a step`],
    ['device', `${result.device}, ${result.precision}`],
    ['library', `jcs-ct ${result.library}`],
  ])}</section>`
  const title = 'The paper’s experiments, made again'
  return page({ title, subtitle: 'JCS, IEEE TIP 2021' }, content, chartStyle)
}

function lesionCard(statistics: LesionStatistics): Html {
  const { points, title } = statistics
  const inMm = points.every(({ areaMm2 }) => areaMm2 !== undefined)
  return html`<section class="card"><h2>${title}</h2>
  ${dotChart(
    points.map(({ areaPixels, areaMm2, dice }) => ({ x: inMm ? areaMm2! : areaPixels, y: dice })),
    {
      title: 'Dice',
      xLabel: inMm ? 'area of the lesions, mm²' : 'area of the lesions, pixels',
      range: [0, 1],
      format: percent,
    },
  )}
  <p>${sharesText(statistics)}</p>
  <div class="scroll">${tableHtml(distributionCellsOf(statistics))}</div></section>`
}

function tableHtml({ header, rows }: { header: string[]; rows: string[][] }): Html {
  return html`<table><thead><tr>${header.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead>
  <tbody>${rows.map(
    ([name, ...cells]) =>
      html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`,
  )}</tbody></table>`
}
