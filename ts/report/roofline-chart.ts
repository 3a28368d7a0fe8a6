import type { RatedStep, Roofline } from '../model/roofline'
import { shortNumber } from './chart'
import { type Html, html } from './html'

const width = 960
const height = 460
const plot = { left: 66, right: 944, top: 16, bottom: 412 }
const largestRadius = 26

/** Steps of less than a thousandth of the time would only stretch the picture. */
const leastShare = 0.001

/** Kernels beyond these share the last colour. */
const colours = 6

/**
 * The roofline of a profile as inline SVG, both axes logarithmic: every step that computes is a dot, the larger the more
 * time it takes. The page's style sheet colours `.series-0` and so on.
 */
export function rooflineChart({ steps, groups, peaks }: Roofline): Html {
  const drawn = steps.filter(({ flops, bytes, share }) => flops > 0 && bytes > 0 && share >= leastShare)
  const title = 'Roofline'
  if (drawn.length === 0)
    return html`<figure class="chart"><figcaption>${title}</figcaption><p>No step computes.</p></figure>`
  const roofs = Object.entries(peaks.flopsPerSecond).sort(([, a], [, b]) => b - a)
  const bandwidth = peaks.bytesPerSecond
  const ridges = roofs.map(([, peak]) => peak / bandwidth)
  const xRange = decades([...drawn.map(({ intensity }) => intensity), ...ridges])
  const yRange = decades([
    ...drawn.map(({ gigaflopsPerSecond }) => gigaflopsPerSecond),
    ...roofs.map(([, peak]) => peak / 1e9),
  ])
  const toX = (x: number) => along(x, xRange, plot.left, plot.right)
  const toY = (y: number) => along(y, yRange, plot.bottom, plot.top)

  const grid = [
    ...powersOfTen(yRange).map(
      (
        tick,
      ) => html`<g class="grid"><line x1="${plot.left}" x2="${plot.right}" y1="${toY(tick)}" y2="${toY(tick)}"/>
      <text x="${plot.left - 8}" y="${toY(tick) + 4}" text-anchor="end">${shortNumber(tick)}</text></g>`,
    ),
    ...powersOfTen(xRange).map(
      (
        tick,
      ) => html`<g class="grid"><line x1="${toX(tick)}" x2="${toX(tick)}" y1="${plot.top}" y2="${plot.bottom}"/>
      <text x="${toX(tick)}" y="${plot.bottom + 18}" text-anchor="middle">${shortNumber(tick)}</text></g>`,
    ),
  ]
  // The slope starts where it enters the picture: at its left edge or at its lower one.
  const start = Math.max(xRange[0], (yRange[0] * 1e9) / bandwidth)
  const slope = html`<path class="roof" d="M${point(toX(start), toY((start * bandwidth) / 1e9))}L${point(toX(ridges[0]!), toY(roofs[0]![1] / 1e9))}"/>`
  const flat = roofs.map(
    (
      [dtype, peak],
      i,
    ) => html`<path class="roof" d="M${point(toX(ridges[i]!), toY(peak / 1e9))}L${point(plot.right, toY(peak / 1e9))}"/>
      <text x="${plot.right - 4}" y="${toY(peak / 1e9) - 6}" text-anchor="end">${dtype}: ${shortNumber(peak / 1e9)} GFLOP/s</text>`,
  )
  const kernels = groups.map(({ op, implementation }) => `${op} ${implementation}`)
  const colourOf = ({ op, implementation }: RatedStep) =>
    Math.min(kernels.indexOf(`${op} ${implementation}`), colours - 1)
  const longest = Math.max(...drawn.map(({ seconds }) => seconds))
  // Large dots first, so that small ones lie on top.
  const dots = drawn
    .toSorted((a, b) => b.seconds - a.seconds)
    .map(
      (step) =>
        html`<circle class="dot series-${colourOf(step)}" cx="${toX(step.intensity).toFixed(1)}" cy="${toY(step.gigaflopsPerSecond).toFixed(1)}" r="${Math.max(2, largestRadius * Math.sqrt(step.seconds / longest)).toFixed(1)}"><title>${describe(step)}</title></circle>`,
    )
  const legend = groups
    .slice(0, colours)
    .map(
      ({ op, implementation, share }, i) =>
        html`<li><span class="swatch series-${i}"></span>${i === colours - 1 && groups.length > colours ? 'others' : `${op} ${implementation}`} <span class="value">${(100 * (i === colours - 1 ? groups.slice(i).reduce((sum, group) => sum + group.share, 0) : share)).toFixed(1)}%</span></li>`,
    )
  return html`<figure class="chart">
    <figcaption>${title}: the ${drawn.length} of ${steps.length} steps that compute and take a thousandth of the time or more; the area of a dot is its time</figcaption>
    <ul class="legend">${legend}</ul>
    <svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}: rate of every step over its FLOP per byte, under peaks of ${roofs.map(([dtype, peak]) => `${shortNumber(peak / 1e9)} GFLOP/s in ${dtype}`).join(', ')} and ${shortNumber(bandwidth / 1e9)} GB/s">
      ${grid}${slope}${flat}
      <text class="axis" x="${(plot.left + plot.right) / 2}" y="${height - 6}" text-anchor="middle">FLOP per byte; the slope is ${shortNumber(bandwidth / 1e9)} GB/s</text>
      <text class="axis" x="14" y="${(plot.top + plot.bottom) / 2}" text-anchor="middle" transform="rotate(-90 14 ${(plot.top + plot.bottom) / 2})">GFLOP/s</text>
      ${dots}
    </svg>
  </figure>`
}

export const rooflineStyle = `
.roof { fill: none; stroke: var(--ink); stroke-width: 2; }
circle.dot { fill-opacity: 0.45; stroke: var(--card); stroke-width: 0.5; }
`

function describe({
  scope,
  op,
  implementation,
  output,
  seconds,
  gigaflopsPerSecond,
  roofShare,
}: RatedStep): string {
  return `${scope}: ${op} ${implementation} ${output}, ${(seconds * 1000).toFixed(3)} ms, ${shortNumber(gigaflopsPerSecond)} GFLOP/s, ${(100 * roofShare).toFixed(0)}% of the roof`
}

const point = (x: number, y: number): string => `${x.toFixed(1)} ${y.toFixed(1)}`

type Range = readonly [low: number, high: number]

/** Whole powers of ten around the values, at least one decade. */
function decades(values: readonly number[]): Range {
  const low = Math.floor(Math.log10(Math.min(...values)))
  return [10 ** low, 10 ** Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))))]
}

function powersOfTen([low, high]: Range): number[] {
  const first = Math.round(Math.log10(low))
  return Array.from({ length: Math.round(Math.log10(high)) - first + 1 }, (_, i) => 10 ** (first + i))
}

function along(value: number, [low, high]: Range, from: number, to: number): number {
  return from + ((to - from) * Math.log(value / low)) / Math.log(high / low)
}
