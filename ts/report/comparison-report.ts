import { JcsError } from '../base/errors'
import type { DiagnosedCase } from '../cases'
import type { Comparison, LesionChange, LungPart } from '../run/results'
import { type CoronalProjection, coronalProjection } from './coronal'
import { dataUrl } from './data-url'
import { type Html, html } from './html'
import { millilitres } from './millilitres'
import { overlayPng } from './overlay'
import { notes, page } from './page'

export interface ComparisonReportOptions {
  /** Names the patient's case. Do not put a name here: reports are passed on. */
  title?: string | undefined
  createdAt?: Date | undefined
}

/** Lesions that are shown as pictures, then and now. */
const picturedLesions = 6

/**
 * A self-contained HTML page of a comparison: how much of the lungs was and is lesion, by region, what became of each
 * lesion, and slices of both times side by side.
 *
 * @param before and `after`: what was compared
 * @throws JcsError INVALID_ARGUMENT for cases that have no such slices, and what decoding throws
 */
export async function comparisonReport(
  comparison: Comparison,
  before: DiagnosedCase,
  after: DiagnosedCase,
  options: ComparisonReportOptions = {},
): Promise<string> {
  const { title = 'Two scans of a patient', createdAt } = options
  const projections = await Promise.all([before, after].map(({ diagnosis }) => coronalProjection(diagnosis)))
  const pairs: Html[] = []
  for (const [index, change] of comparison.lesions.slice(0, picturedLesions).entries())
    pairs.push(
      pairFigure(
        index + 1,
        change,
        await picture(before, change.sliceBefore),
        await picture(after, change.sliceAfter),
      ),
    )
  const content = html`
${summaryCard(comparison)}
${regionCard(comparison, projections)}
${changeCard(comparison)}
${pairs.length > 0 && html`<section class="card" id="slices"><h2>Largest lesions, before and after</h2>${pairs}</section>`}
${notes(comparison.warnings)}`
  const subtitle = `${before.diagnosis.totalSlices} slices before, ${after.diagnosis.totalSlices} after`
  return page({ title, subtitle, createdAt, notices: comparison.notices }, content, style)
}

function summaryCard({ before, after, lesions }: Comparison): Html {
  const count = (kind: LesionChange['change']) => lesions.filter(({ change }) => change === kind).length
  const tile = (name: string, value: string) =>
    html`<div class="tile"><dt>${name}</dt><dd>${value}</dd></div>`
  return html`
<section class="card" id="summary">
  <h2>Then and now</h2>
  <dl class="tiles">
    ${tile('of the lungs is lesion', `${before.percent.toFixed(1)} → ${after.percent.toFixed(1)} %`)}
    ${tile('lesions, ml', `${millilitres(before.lesionVolumeMl)} → ${millilitres(after.lesionVolumeMl)}`)}
    ${tile('lungs, ml', `${millilitres(before.lungVolumeMl)} → ${millilitres(after.lungVolumeMl)}`)}
    ${tile('severity score of 24', `${before.severityScore} → ${after.severityScore}`)}
    ${(['new', 'grown', 'unchanged', 'shrunk', 'vanished'] as const).map((kind) => tile(`${kind} lesions`, `${count(kind)}`))}
  </dl>
</section>`
}

function regionCard(
  { before, after }: Comparison,
  [was, is]: readonly (CoronalProjection | undefined)[],
): Html {
  const row = (name: string, then: LungPart, now: LungPart, isTotal = false) => {
    const change = (now.percent - then.percent).toFixed(1)
    return html`<tr${isTotal && html` class="total"`}><th scope="row">${name}</th><td class="number">${millilitres(then.lesionVolumeMl)}</td><td class="number">${millilitres(now.lesionVolumeMl)}</td><td class="number">${then.percent.toFixed(1)} %</td><td class="number">${now.percent.toFixed(1)} %</td><td class="number">${Number(change) > 0 && '+'}${Number(change) === 0 ? '0.0' : change}</td></tr>`
  }
  const rows = before.sides.flatMap((side, index) => [
    row(`${side.side} lung`, side, after.sides[index]!, true),
    ...before.regions.flatMap((region, at) =>
      region.side === side.side ? [row(`${region.third} third`, region, after.regions[at]!)] : [],
    ),
  ])
  const figure = (name: string, projection: CoronalProjection | undefined) =>
    projection &&
    html`<figure><img alt="Lungs from the front, ${name}" width="${projection.width}" height="${projection.height}" src="${projection.url}"><figcaption>${name}</figcaption></figure>`
  return html`
<section class="card" id="regions">
  <h2>Lungs and lesions</h2>
  <div class="pair">${figure('before', was)}${figure('after', is)}</div>
  <div class="scroll"><table>
    <thead><tr><th></th><th class="number">lesions before, ml</th><th class="number">after, ml</th><th class="number">involved before</th><th class="number">after</th><th class="number">change, points</th></tr></thead>
    <tbody>${row('both lungs', before, after, true)}${rows}</tbody>
  </table></div>
  <p class="hint">Left and right are the patient's. Lesions in orange, by their share of the lung from front to back.</p>
</section>`
}

function changeCard({ lesions }: Comparison): Html {
  const rows = lesions.map(
    ({ change, volumeBeforeMl, volumeAfterMl, side, third, sliceBefore, sliceAfter }, index) =>
      html`<tr><td>${index + 1}</td><td class="change ${change}">${change}</td><td class="number">${volumeBeforeMl === 0 ? '–' : millilitres(volumeBeforeMl)}</td><td class="number">${volumeAfterMl === 0 ? '–' : millilitres(volumeAfterMl)}</td><td>${side}, ${third} third</td><td class="number">${sliceBefore + 1}</td><td class="number">${sliceAfter + 1}</td></tr>`,
  )
  if (rows.length === 0)
    return html`<section class="card" id="changes"><h2>Lesions</h2><p>No lesion of a size that counts, before or after.</p></section>`
  return html`
<section class="card" id="changes">
  <h2>What became of each lesion</h2>
  <div class="scroll"><table>
    <thead><tr><th></th><th></th><th class="number">before, ml</th><th class="number">after, ml</th><th>place</th><th class="number">slice before</th><th class="number">after</th></tr></thead>
    <tbody>${rows}</tbody>
  </table></div>
  <p class="hint">Lesions are matched by where they lie relative to the lungs, not by registering the images: one that seems to have vanished beside one that seems new may be the same. Grown and shrunk: by a quarter of the volume at least.</p>
</section>`
}

function pairFigure(
  number: number,
  { change, side, third }: LesionChange,
  before: string,
  after: string,
): Html {
  const image = (name: string, url: string) =>
    html`<figure><img alt="Slice ${name}, lesion ${number}" src="${url}"><figcaption>${name}</figcaption></figure>`
  return html`<h3>Lesion ${number}: ${change}, ${side}, ${third} third</h3><div class="pair">${image('before', before)}${image('after', after)}</div>`
}

async function picture({ diagnosis, scan }: DiagnosedCase, index: number): Promise<string> {
  const segmentation = diagnosis.slices[index]?.segmentation
  if (!segmentation)
    throw new JcsError(
      'INVALID_ARGUMENT',
      `the comparison is of other cases: there is no slice ${index} with lesions`,
    )
  const { mask, width, height } = segmentation
  return dataUrl('png', await overlayPng(await scan.image(index), { lesions: { data: mask, width, height } }))
}

const style = `
.number { text-align: right; }
.total > * { font-weight: 650; color: var(--ink); }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 14px; align-items: end; }
.pair figure { margin: 0; }
.pair img { width: 100%; height: auto; border-radius: 8px; background: #000; }
figcaption { color: var(--soft); font-size: 0.9rem; }
h3 { font-size: 1rem; margin: 18px 0 8px; }
#summary .tile dd { font-size: 1.1rem; }
.change { font-weight: 650; }
.change.new, .change.grown { color: var(--positive); }
.change.vanished, .change.shrunk { color: var(--negative); }
`
