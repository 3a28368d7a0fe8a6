import type { Diagnosis } from '../run/results'
import { type Html, html } from './html'
import { scoreName, scoreOf, scoreText, sortOf } from './scores'

/** One bar a slice. Positive and negative differ in colour and, for whoever does not see it, in a dot below the axis. */
export function scoreCard(diagnosis: Diagnosis): Html {
  const { slices } = diagnosis
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
  <h2>${scoreName(diagnosis)}, slice by slice</h2>
  <svg viewBox="0 0 ${plot.right} ${plot.height}" class="bar-chart" role="group" aria-label="one bar for each slice">
    ${levels}${labels}${bars}
  </svg>
  <p class="hint"><span class="key positive"></span> positive, with a dot below <span class="key negative"></span> negative. Choose a bar to see its slice.</p>
</section>`
}

function fixed(value: number): string {
  return value.toFixed(2)
}

function labelStep(count: number): number {
  return [1, 2, 5, 10, 20, 50, 100].find((step) => count / step <= 20) ?? 200
}

function scaleOf({ basis, slices }: Diagnosis): number {
  return basis === 'classifier' ? 1 : Math.max(...slices.map(scoreOf)) || 1
}
