import type { Involvement, LungPart } from '../run/results'
import type { CoronalProjection } from './coronal'
import { type Html, html } from './html'
import { millilitres } from './millilitres'

/** Lesions against lungs: whole, each lung, its thirds, and the largest lesions in three dimensions. */
export function involvementCard(
  involvement: Involvement,
  projection: CoronalProjection | undefined,
  leftSide: 'left' | 'right',
): Html {
  const { sides, regions, lesionOutsideLungsMl, severityScore, lesions } = involvement
  const row = (name: string, part: LungPart, isTotal = false) =>
    html`<tr${isTotal && html` class="total"`}><th scope="row">${name}</th><td class="number">${millilitres(part.lungVolumeMl)}</td><td class="number">${millilitres(part.lesionVolumeMl)}</td><td class="number">${part.percent.toFixed(1)} %</td></tr>`
  const rows = sides.flatMap((side) => [
    row(`${side.side} lung`, side, true),
    ...regions
      .filter((region) => region.side === side.side)
      .map((region) => row(`${region.third} third`, region)),
  ])
  return html`
<section class="card" id="involvement">
  <h2>Lungs and lesions</h2>
  <div class="lungs">
  <div class="scroll"><table>
    <thead><tr><th></th><th class="number">lung, ml</th><th class="number">lesions, ml</th><th class="number">involved</th></tr></thead>
    <tbody>${row('both lungs', involvement, true)}${rows}</tbody>
  </table></div>
  ${projection && coronalFigure(projection, involvement, leftSide)}
  </div>
  <p class="hint">CT severity score ${severityScore} of 24 (six zones, Yuan et al. 2020; thirds of the lungs' height stand for the zones). Left and right are the patient's.
  ${lesionOutsideLungsMl > 0 && `Another ${millilitres(lesionOutsideLungsMl)} ml outside the lungs are not counted.`}</p>
  ${lesions.length > 0 && largestLesions(involvement)}
</section>`
}

function coronalFigure(
  { url, width, height }: CoronalProjection,
  { percent }: Involvement,
  leftSide: 'left' | 'right',
): Html {
  const [left, right] = leftSide === 'right' ? ['R', 'L'] : ['L', 'R']
  return html`
  <figure class="coronal"><div class="stack"><span class="side">${left}</span><img alt="Lungs from the front; ${percent.toFixed(1)} % of them are lesion, shown in orange" width="${width}" height="${height}" src="${url}"><span class="side end">${right}</span></div>
  <figcaption><span class="key lesion"></span> lesions, by their share of the lung from front to back</figcaption></figure>`
}

const shownLesions = 10

function largestLesions({ lesions }: Involvement): Html {
  const rows = lesions
    .slice(0, shownLesions)
    .map(
      ({ volumeMl, meanHu, firstSlice, lastSlice, side, third }) =>
        html`<tr><td class="number">${millilitres(volumeMl)}</td><td class="number">${meanHu === undefined ? '–' : Math.round(meanHu)}</td><td>${side}, ${third} third</td><td><a href="#viewer" data-slice="${Math.round((firstSlice + lastSlice) / 2)}">${firstSlice + 1}–${lastSlice + 1}</a></td></tr>`,
    )
  return html`
  <h3>Largest of ${lesions.length} lesions</h3>
  <div class="scroll"><table>
    <thead><tr><th class="number">volume, ml</th><th class="number">mean, HU</th><th>place</th><th>slices</th></tr></thead>
    <tbody>${rows}</tbody>
  </table></div>`
}
