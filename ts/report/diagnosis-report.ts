import { createHash } from 'node:crypto'
import { JcsError } from '../base/errors'
import { type Case, withCase } from '../cases'
import type { Images, Series } from '../images'
import { checkImageOptions, type ImageOptions } from '../run/options'
import type { DiagnosedSlice, Diagnosis } from '../run/results'
import { heatColor } from './colormap'
import { coronalProjection } from './coronal'
import { diagnosisScript, diagnosisStyle } from './diagnosis-page'
import { type Html, html } from './html'
import { involvementCard } from './involvement-card'
import { factTable, notes, page } from './page'
import { isHounsfield, type SlicePictures, slicePictures } from './slice-pictures'
import { presetFilters, presetStyle, windowPresets } from './window-presets'

export interface DiagnosisReportOptions extends ImageOptions {
  /** Names the case. Do not put a patient's name here: reports are passed on. */
  title?: string | undefined
  createdAt?: Date | undefined
  /** Slices are shown with at most this many pixels a side. Default 512. */
  side?: number | undefined
}

const leftNotice = {
  image: 'Left is the image’s left, not the patient’s.',
  patient: 'Left is the patient’s left.',
} as const

/**
 * A self-contained HTML page: the verdict, the probability of every slice, the slices with lesions and activation maps
 * to look through, and the table of lesions.
 *
 * @param slices the case or the images that were diagnosed, in the same order
 * @throws JcsError SHAPE_MISMATCH when they are not as many as the diagnosis has, and what decoding throws
 */
export async function diagnosisReport(
  diagnosis: Diagnosis,
  slices: Images | Case,
  options: DiagnosisReportOptions = {},
): Promise<string> {
  const { title = 'Diagnosis of a case', createdAt, side = 512 } = options
  checkImageOptions(options)
  const { pictures, isHu, inputSha256, leftSide } = await takePictures(diagnosis, slices, options, side)
  const projection = diagnosis.involvement && (await coronalProjection(diagnosis))
  const content = html`
${verdictCard(diagnosis)}
${diagnosis.involvement && involvementCard(diagnosis.involvement, projection, leftSide)}
${scoreCard(diagnosis)}
${viewerCard(diagnosis, pictures, isHu)}
${lesionCard(diagnosis)}
${notes(diagnosis.warnings)}
${diagnosis.series && seriesCard(diagnosis.series)}
${provenanceCard(diagnosis, inputSha256)}
${timingCard(diagnosis)}`
  return page(
    { title, subtitle: `${diagnosis.totalSlices} slices`, createdAt, notices: diagnosis.notices },
    content,
    isHu ? diagnosisStyle + presetStyle() : diagnosisStyle,
    diagnosisScript,
  )
}

/** What the page needs of the images; each is read once. */
async function takePictures(
  diagnosis: Diagnosis,
  slices: Images | Case,
  options: ImageOptions,
  side: number,
) {
  const sum = createHash('sha256')
  const pictures: SlicePictures[] = []
  let isHu = true
  let leftSide: 'left' | 'right' = 'left'
  await withCase(slices, options, 'patient', async (scan, isOwn) => {
    for await (const index of scan.indices(undefined)) {
      const slice = diagnosis.slices[index]
      if (!slice) throw differentCount(diagnosis, 'more')
      const image = await scan.image(index)
      const { data, orientation } = image
      sum.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
      isHu &&= isHounsfield(image)
      if (orientation && orientation[0] > 0) leftSide = 'right'
      pictures.push(await slicePictures(image, slice, side))
      if (isOwn) scan.store.release(index, index + 1)
    }
  })
  if (pictures.length < diagnosis.slices.length) throw differentCount(diagnosis, `${pictures.length}`)
  return { pictures, isHu, leftSide, inputSha256: sum.digest('hex') }
}

function differentCount(diagnosis: Diagnosis, given: string): JcsError {
  return new JcsError(
    'SHAPE_MISMATCH',
    `the diagnosis has ${diagnosis.slices.length} slices and ${given} were given; give the images that were diagnosed`,
  )
}

/** What made slices positive, in a sentence for whoever reads nothing else. */
function basisSentence({ basis, minLesionAreaMm2 }: Diagnosis): string {
  return basis === 'classifier'
    ? 'Slices are positive by the classifier (joint diagnosis).'
    : `No classifier: slices are positive by the area of their lesions, above ${mm2(minLesionAreaMm2 ?? 0)}.`
}

function thresholdText({ sliceThreshold, sliceThresholdMm }: Diagnosis): string {
  return sliceThresholdMm === undefined ? `${sliceThreshold}` : `${sliceThreshold} (${sliceThresholdMm} mm)`
}

function verdictCard(diagnosis: Diagnosis): Html {
  const { positive, positiveSlices, totalSlices, sliceThreshold, slices } = diagnosis
  const lesions = slices.flatMap(({ segmentation }) => segmentation?.lesions ?? [])
  const position = (count: number) => `${((100 * count) / totalSlices).toFixed(2)}%`
  const isMm2 = slices.every(({ segmentation }) => !segmentation || segmentation.areaMm2 !== undefined)
  const largest = slices.reduce((most, { segmentation }) => Math.max(most, segmentation?.areaPixels ?? 0), 0)
  const largestMm2 = slices.reduce((most, { segmentation }) => Math.max(most, segmentation?.areaMm2 ?? 0), 0)
  return html`
<section class="card verdict ${positive ? 'is-positive' : 'is-negative'}">
  <div>
    <p class="word">${positive ? 'Positive' : 'Negative'}</p>
    <p class="reason">${positiveSlices} of ${totalSlices} slices are positive; a case is positive with more than ${thresholdText(diagnosis)}. ${basisSentence(diagnosis)}</p>
    <div class="gauge" role="img" aria-label="${positiveSlices} positive slices against a threshold of ${sliceThreshold}">
      <span class="fill" style="width:${position(positiveSlices)}"></span>
      ${sliceThreshold < totalSlices && html`<span class="mark" style="left:${position(sliceThreshold)}"></span>`}
    </div>
  </div>
  <dl class="tiles">
    <div class="tile"><dt>positive slices</dt><dd>${positiveSlices}</dd></div>
    <div class="tile"><dt>slice threshold</dt><dd>${sliceThreshold}</dd></div>
    ${
      isSegmented(diagnosis) &&
      html`<div class="tile"><dt>lesions, all slices</dt><dd>${lesions.length}</dd></div>
    <div class="tile"><dt>largest lesion area in a slice</dt><dd>${isMm2 ? mm2(largestMm2) : `${largest} px`}</dd></div>`
    }
  </dl>
</section>`
}

/** One bar a slice. Positive and negative differ in colour and, for whoever does not see it, in a dot below the axis. */
function scoreCard(diagnosis: Diagnosis): Html {
  const { slices, basis } = diagnosis
  const most = scaleOf(diagnosis)
  const plot = { left: 34, right: 1000, top: 8, bottom: 168, height: 204 }
  const step = (plot.right - plot.left) / slices.length
  const toX = (index: number) => plot.left + index * step
  const toY = (share: number) => plot.bottom - share * (plot.bottom - plot.top)
  const levels = [0, 0.5, 1].map(
    (at) => html`<line class="level" x1="${plot.left}" x2="${plot.right}" y1="${toY(at)}" y2="${toY(at)}"/>
    <text x="${plot.left - 8}" y="${toY(at) + 4}" text-anchor="end">${Number((at * most).toPrecision(2))}</text>`,
  )
  const labels = slices
    .filter((_, i) => i === 0 || (i + 1) % labelStep(slices.length) === 0)
    .map(
      ({ index }) =>
        html`<text x="${fixed(toX(index + 0.5))}" y="${plot.height - 4}" text-anchor="middle">${index + 1}</text>`,
    )
  const bars = slices.map((slice) => {
    const { index, positive } = slice
    const sort = sortOf(slice)
    // Zero is still a bar that can be seen.
    const top = toY(Math.max(scoreOf(slice) / most, 0.006))
    return html`<a href="#slice-${index + 1}" data-slice="${index}" class="bar ${sort}"><title>slice ${index + 1}: ${scoreText(slice)}, ${sort}</title>
      <rect class="reach" x="${fixed(toX(index))}" y="0" width="${fixed(step)}" height="${plot.height}"/>
      <rect class="value" x="${fixed(toX(index + 0.12))}" y="${fixed(top)}" width="${fixed(0.76 * step)}" height="${fixed(plot.bottom - top)}"/>
      ${positive && html`<circle cx="${fixed(toX(index + 0.5))}" cy="${plot.bottom + 9}" r="${fixed(Math.min(4, 0.35 * step))}"/>`}</a>`
  })
  return html`
<section class="card">
  <h2>${basis === 'classifier' ? 'Probability of infection' : 'Lesion area in mm²'}, slice by slice</h2>
  <svg viewBox="0 0 ${plot.right} ${plot.height}" class="bar-chart" role="group" aria-label="one bar for each slice">
    ${levels}${labels}${bars}
  </svg>
  <p class="hint"><span class="key positive"></span> positive, with a dot below <span class="key negative"></span> negative. Choose a bar to see its slice.</p>
</section>`
}

/** By the classifier, or without one by lesion area: the score that made the slice positive or not. */
function scoreOf({ classification, lesionAreaMm2, segmentation }: DiagnosedSlice): number {
  return classification?.probability ?? lesionAreaMm2 ?? segmentation?.areaPixels ?? 0
}

function scoreText(slice: DiagnosedSlice): string {
  const { classification, lesionAreaMm2, segmentation } = slice
  if (classification) return percent(classification.probability)
  return lesionAreaMm2 === undefined ? `${segmentation?.areaPixels ?? 0} px` : mm2(lesionAreaMm2)
}

function scaleOf({ basis, slices }: Diagnosis): number {
  return basis === 'classifier' ? 1 : Math.max(...slices.map(scoreOf)) || 1
}

function sortOf({ positive }: DiagnosedSlice): 'positive' | 'negative' {
  return positive ? 'positive' : 'negative'
}

function isSegmented({ slices }: Diagnosis): boolean {
  return slices.some(({ segmentation }) => segmentation)
}

function mm2(area: number): string {
  return `${Math.round(area)}\u00a0mm²`
}

function fixed(value: number): string {
  return value.toFixed(2)
}

function labelStep(count: number): number {
  return [1, 2, 5, 10, 20, 50, 100].find((step) => count / step <= 20) ?? 200
}

function viewerCard(diagnosis: Diagnosis, pictures: readonly SlicePictures[], isHu: boolean): Html {
  const { slices, laterality } = diagnosis
  const key = keySlices(slices)
  const showsLesions = isSegmented(diagnosis)
  const mostInfected = slices.reduce(
    (best, slice) => (weight(slice) > weight(best) ? slice : best),
    slices[0] as DiagnosedSlice,
  )
  const hasMaps = pictures.some(({ activation }) => activation)
  const stops = [0, 0.25, 0.5, 0.75, 1].map((at) => `rgb(${heatColor(at).join(' ')}) ${100 * at}%`).join(', ')
  return html`
<section class="card${isHu && ` window-${windowPresets[0]!.name}`}" id="viewer" data-start="${mostInfected.index}">
  ${isHu && presetFilters()}
  <h2>Slices</h2>
  <div class="controls">
    <button type="button" id="previous" aria-label="previous slice">‹</button>
    <input type="range" id="position" min="1" max="${slices.length}" value="${mostInfected.index + 1}" aria-label="slice">
    <button type="button" id="next" aria-label="next slice">›</button>
    <output id="caption" aria-live="polite"></output>
    ${isHu && presetChoice()}
    ${showsLesions && html`<label><input type="checkbox" id="show-lesions" checked> show lesions</label>`}
  </div>
  <div class="stage">
    <figure><div class="stack" id="stage-lesions" role="img" aria-labelledby="caption"></div><figcaption>${showsLesions ? html`<span class="key lesion"></span> lesions found by segmentation` : 'slice'}</figcaption></figure>
    ${hasMaps && html`<figure><div class="stack" id="stage-activation" role="img" aria-labelledby="caption"></div><figcaption>activation map: what speaks for infection, none <span class="ramp" style="background:linear-gradient(90deg, ${stops})"></span> most</figcaption></figure>`}
  </div>
  <ol class="strip">
    ${slices.map((slice, i) => thumbnail(slice, pictures[i] as SlicePictures, key.has(i)))}
  </ol>
  <p class="hint">${leftNotice[laterality]} Arrow keys, the wheel and swiping go from slice to slice.</p>
</section>`
}

/** By lesion area, and by probability where nothing was segmented. */
function weight({ segmentation, classification }: DiagnosedSlice): number {
  return (segmentation?.areaPixels ?? 0) + (classification?.probability ?? 0)
}

function presetChoice(): Html {
  return html`<label>window <select id="window">${windowPresets.map(
    ({ name, window }) =>
      html`<option value="${name}">${name} (${window.center} / ${window.width} HU)</option>`,
  )}</select></label>`
}

/** What is printed of the strip: the slices that say most. */
function keySlices(slices: readonly DiagnosedSlice[]): Set<number> {
  const ranked = [...slices].sort((a, b) => weight(b) - weight(a))
  return new Set(ranked.slice(0, 6).map(({ index }) => index))
}

function thumbnail(
  diagnosed: DiagnosedSlice,
  { slice, lesions, activation }: SlicePictures,
  isKey: boolean,
): Html {
  const { index } = diagnosed
  const sort = sortOf(diagnosed)
  const score = scoreText(diagnosed)
  return html`<li${isKey && html` class="key-slice"`}><a id="slice-${index + 1}" href="#viewer" class="thumb ${sort}" data-slice="${index}" data-caption="slice ${index + 1} · ${score} · ${sort}">
    <span class="stack"><img class="base" alt="slice ${index + 1}" src="${slice}">${lesions && html`<img class="lesions" alt="" src="${lesions}">`}${activation && html`<img class="activation" alt="" src="${activation}">`}</span>
    <span class="label">${index + 1}<span>${score}</span></span></a></li>`
}

/** The fields of figure 6 of the paper. */
function lesionCard(diagnosis: Diagnosis): Html {
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

/** What the scanner says of the scan, and what of the files given was not diagnosed. */
function seriesCard({ modality, slices, spacingMm, excluded }: Series): Html {
  const mm = (value: number) => `${Number(value.toFixed(3))} mm`
  return html`<section class="card"><h2>Series</h2>${factTable([
    ['modality', modality],
    ['slices', `${slices}`],
    ...(spacingMm
      ? [
          ['pixel size', `${mm(spacingMm[0])} × ${mm(spacingMm[1])}`] as const,
          ['distance of slices', mm(spacingMm[2])] as const,
        ]
      : []),
    ...excluded.map(({ what, reason }) => [`left out: ${what}`, reason] as const),
  ])}</section>`
}

/** What the result was made with, so that it can be made again. */
function provenanceCard(
  { models, version, basis, sliceThreshold, minLesionAreaMm2 }: Diagnosis,
  inputSha256: string,
): Html {
  const facts = models.map(({ role, network, sha256, window }): [string, Html] => [
    role,
    html`${network}, window ${window.center} / ${window.width} HU<br><span class="hash">${sha256 ? `SHA-256 ${sha256}` : 'not from a file'}</span>`,
  ])
  return html`<section class="card" id="provenance"><h2>Made with</h2>${factTable([
    ...facts,
    [
      'thresholds',
      `more than ${sliceThreshold} slices; basis ${basis}${basis === 'lesion-area' ? `, above ${mm2(minLesionAreaMm2 ?? 0)}` : ''}`,
    ],
    ['slices', html`<span class="hash">SHA-256 of their values ${inputSha256}</span>`],
    ['library', `jcs-ct ${version}`],
  ])}</section>`
}

function timingCard({ timing }: Diagnosis): Html {
  const ms = (value: number) => (value < 1000 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(2)} s`)
  return html`<section class="card" id="time"><h2>Time</h2>${factTable([
    ['decoding', ms(timing.decodeMs)],
    ['classification', ms(timing.classifyMs)],
    ['finding lungs', ms(timing.lungsMs)],
    ['segmentation', ms(timing.segmentMs)],
    ['measuring', ms(timing.measureMs)],
    ['whole case', ms(timing.totalMs)],
  ])}</section>`
}

function percent(probability: number): string {
  return `${(100 * probability).toFixed(probability > 0.0995 && probability < 0.9995 ? 0 : 1)} %`
}

function shortCoordinate(value: number): string {
  return String(Math.round(10 * value) / 10)
}
