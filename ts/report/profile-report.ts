import type { Model } from '../model'
import { bestAlternative, type RatedStep, type Rates, type Roofline } from '../model/roofline'
import { chartStyle, shortNumber } from './chart'
import { type Html, html } from './html'
import { page } from './page'
import { rooflineChart, rooflineStyle } from './roofline-chart'

/** What the report says of the network; a Model is one. */
export type ProfiledModel = Pick<Model, 'spec' | 'device' | 'precision' | 'threads'>

export interface ProfileReportOptions {
  title?: string | undefined
  createdAt?: Date | undefined
}

/** A self-contained HTML page: the roofline's picture, the kernels with their totals, and every step of a program. */
export function profileReport(
  model: ProfiledModel,
  roofline: Roofline,
  options: ProfileReportOptions = {},
): string {
  const { spec, device, precision, threads } = model
  const { steps, groups, seconds, arenaBytes, persistentBytes, copiedBytes } = roofline
  const { title = `Profile of ${spec.network}`, createdAt } = options
  const tile = (name: string, value: string) =>
    html`<div class="tile"><dt>${name}</dt><dd>${value}</dd></div>`
  const content = html`
<section class="card">
  <dl class="tiles">
    ${tile('time of all steps', `${(seconds * 1000).toFixed(1)} ms`)}
    ${tile('steps', String(steps.length))}
    ${tile('intermediate values', mebibytes(arenaBytes))}
    ${tile('prepared weights', mebibytes(persistentBytes))}
    ${tile('copied per run', mebibytes(copiedBytes))}
  </dl>
</section>
<section class="card">
  ${rooflineChart(roofline)}
  ${[boundSentence(roofline), ...savingSentences(roofline)].map((sentence) => html`<p>${sentence}</p>`)}
  ${rooflineNotes.map((note) => html`<p class="hint">${note}</p>`)}
</section>
<section class="card">
  <h2>Kernels</h2>
  ${figures(
    ['op', 'kernel', 'steps'],
    groups.map((group) => ({ names: [group.op, group.implementation, String(group.steps)], rates: group })),
  )}
</section>
<section class="card">
  <h2>Steps</h2>
  ${figures(
    ['layer', 'op', 'kernel', 'output', 'type', 'bound by', 'best other kernel'],
    steps.map((step) => ({
      names: [
        step.scope,
        step.op,
        step.implementation,
        step.output,
        step.dtype,
        step.boundBy,
        alternativeCell(step),
      ],
      rates: step,
    })),
  )}
</section>`
  const subtitle = `${spec.variant ?? 'paper'} variant, width ${spec.width ?? 1}; ${device}, ${precision}, ${threads} threads`
  return page({ title, subtitle, createdAt }, content, chartStyle + rooflineStyle + profileStyle)
}

/** How to read the figures, for people. */
export const rooflineNotes = [
  'The roof is the smaller one of the fastest dense product and of what memory delivers, both measured just after: a step under it waits for neither.',
  'FLOP are those of the plain sum. 3×3 convolutions by Winograd’s algorithm (brgemm:winograd) do a quarter of these products, in float32: their rate may exceed the peak; the share of the roof counts what they do.',
  'Bytes are operands read and written once; where they come from a cache, a step may be faster than memory.',
  'A step that takes more than twice what both products and memory would is bound by its kernel: it waits, moves what it need not, or computes what are no products.',
  'Other kernels of a convolution were timed beside its own, both alone and warm, on operands of the same size and strides. Conversions between layers of unlike types are not counted.',
]

/** What bounds how much of the time. */
export function boundSentence({ secondsBoundBy, seconds }: Roofline): string {
  const share = (of: number) => `${((100 * of) / Math.max(seconds, Number.MIN_VALUE)).toFixed(0)} %`
  const { products, memory, kernel } = secondsBoundBy
  return `bound by products ${share(products)} of the time, by memory ${share(memory)}, by kernels ${share(kernel)}`
}

/** What other kernels would give, were the fastest one of each layer taken. */
export function savingSentences({ secondsToSave, seconds }: Roofline): string[] {
  const milliseconds = (of: number) => (of * 1000).toFixed(1)
  return Object.entries(secondsToSave ?? {}).map(
    ([dtype, saved]) =>
      `with the best other kernels in ${dtype}, where they are faster: ${milliseconds(seconds - saved)} ms instead of ${milliseconds(seconds)}`,
  )
}

/** The best other kernel of a step and how much faster it is; where none is, nothing. */
export function alternativeCell(step: RatedStep): string {
  const best = bestAlternative(step)
  return best ? `${best.implementation} ${best.dtype} ${best.speedup.toFixed(2)}×` : ''
}

export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`

function figures(
  header: readonly string[],
  rows: readonly { names: readonly string[]; rates: Rates }[],
): Html {
  return html`<div class="scroll"><table>
    <thead><tr>${header.map((name) => html`<th>${name}</th>`)}${['ms', 'share', 'GFLOP/s', 'GB/s', 'of the roof'].map((name) => html`<th class="number">${name}</th>`)}</tr></thead>
    <tbody>${rows.map(
      ({ names, rates }) =>
        html`<tr>${names.map((name) => html`<td>${name}</td>`)}${[
          (rates.seconds * 1000).toFixed(3),
          percent(rates.share),
          shortNumber(rates.gigaflopsPerSecond),
          shortNumber(rates.gigabytesPerSecond),
          percent(rates.roofShare),
        ].map((value) => html`<td class="number">${value}</td>`)}</tr>`,
    )}</tbody>
  </table></div>`
}

const percent = (share: number): string => `${(100 * share).toFixed(1)}%`

const profileStyle = `
.number { text-align: right; white-space: nowrap; }
table { font-size: 0.88rem; }
`
