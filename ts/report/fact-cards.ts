import type { Series } from '../images'
import type { Diagnosis } from '../run/results'
import { type Html, html } from './html'
import { factTable } from './page'
import { mm2 } from './scores'

/** What the scanner says of the scan, and what of the files given was not diagnosed. */
export function seriesCard({ modality, slices, spacingMm, excluded }: Series): Html {
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
export function provenanceCard(
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

export function timingCard({ timing }: Diagnosis): Html {
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
