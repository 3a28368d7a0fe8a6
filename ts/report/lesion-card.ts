import type { Diagnosis } from '../run/results'
import { type Html, html } from './html'
import { leftNotice } from './left-notice'
import { isSegmented } from './scores'

/** The fields of figure 6 of the paper. */
export function lesionCard(diagnosis: Diagnosis): Html {
  const { slices, laterality } = diagnosis
  if (!isSegmented(diagnosis)) {
    return html`<section class="card"><h2>Lesions</h2><p>The case is negative, so its lesions were not segmented.</p></section>`
  }
  const rows = slices.flatMap(({ index, segmentation }) =>
    [...(segmentation?.lesions ?? [])]
      .sort((a, b) => b.areaPixels - a.areaPixels)
      .map(
        (
          lesion,
          i,
        ) => html`<tr><td>${i === 0 && html`<a href="#viewer" data-slice="${index}">${index + 1}</a>`}</td>
<td class="number">${lesion.areaPixels}</td><td class="number">${lesion.areaMm2 === undefined ? '–' : lesion.areaMm2.toFixed(0)}</td>
<td>${lesion.position.x}, ${lesion.position.y}</td><td class="number">${lesion.width} × ${lesion.height}</td>
<td class="number">${shortCoordinate(lesion.x0)}, ${shortCoordinate(lesion.y0)}</td></tr>`,
      ),
  )
  return html`
<section class="card" id="lesions">
  <h2>Lesions</h2>
  <div class="scroll lesion-list"><table>
    <thead><tr><th>slice</th><th class="number">area, px</th><th class="number">area, mm²</th><th>position</th><th class="number">box, px</th><th class="number">centre x, y</th></tr></thead>
    <tbody>${rows}</tbody>
  </table></div>
  <p class="hint">${rows.length} lesions: parts of a slice's lesion mask that hang together. ${leftNotice[laterality]} mm² need the pixel spacing of the source.</p>
</section>`
}

function shortCoordinate(value: number): string {
  return String(Math.round(10 * value) / 10)
}
