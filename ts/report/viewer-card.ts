import type { DiagnosedSlice, Diagnosis } from '../run/results'
import { heatColor } from './colormap'
import { type Html, html } from './html'
import { leftNotice } from './left-notice'
import { isSegmented, scoreText, sortOf } from './scores'
import type { SlicePictures } from './slice-pictures'
import { presetFilters, windowPresets } from './window-presets'

/** The slices to look through, large and as a strip. */
export function viewerCard(diagnosis: Diagnosis, pictures: readonly SlicePictures[], isHu: boolean): Html {
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
