import type { Diagnosis } from '../run/results'
import { thresholdText } from '../run/threshold-text'
import { type Html, html } from './html'
import { isSegmented, mm2 } from './scores'

export function verdictCard(diagnosis: Diagnosis): Html {
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

/** What made slices positive, in a sentence for whoever reads nothing else. */
function basisSentence({ basis, minLesionAreaMm2 }: Diagnosis): string {
  return basis === 'classifier'
    ? 'Slices are positive by the classifier (joint diagnosis).'
    : `No classifier: slices are positive by the area of their lesions, above ${mm2(minLesionAreaMm2 ?? 0)}.`
}
