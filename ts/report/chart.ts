import { type Html, html } from './html'

export interface Series {
  name: string
  points: readonly Point[]
  /** Also draws a running mean, and the points themselves faintly. */
  smooth?: boolean
}

export interface ChartOptions {
  title: string
  xLabel: string
  /** Fixes the vertical range instead of fitting it. */
  range?: readonly [number, number]
  format?: (value: number) => string
}

const width = 640
const height = 280
const plot = { left: 58, right: 626, top: 14, bottom: 242 }

/** A line chart as inline SVG; the page's style sheet colours `.series-0` and so on. */
export function lineChart(series: readonly Series[], options: ChartOptions): Html {
  const drawn = series
    .map((one) => ({ ...one, points: one.points.filter(({ y }) => Number.isFinite(y)) }))
    .filter(({ points }) => points.length > 0)
  const format = options.format ?? shortNumber
  if (drawn.length === 0)
    return html`<figure class="chart"><figcaption>${options.title}</figcaption><p>No values.</p></figure>`
  const { toX, toY, axes } = plane(
    drawn.flatMap(({ points }) => points),
    options,
  )
  const path = (points: Series['points']) =>
    points.map(({ x, y }, i) => `${i ? 'L' : 'M'}${toX(x).toFixed(1)} ${toY(y).toFixed(1)}`).join('')

  const lines = drawn.map(({ points, smooth }, i) => {
    const line = (values: Series['points'], kind: string) =>
      html`<path class="line ${kind} series-${i % 6}" d="${path(values)}"/>`
    if (points.length === 1) {
      return html`<circle class="dot series-${i % 6}" cx="${toX(points[0]!.x)}" cy="${toY(points[0]!.y)}" r="4"/>`
    }
    return smooth && points.length > 20
      ? [line(points, 'faint'), line(runningMean(points), '')]
      : line(points, '')
  })
  const last = (points: Series['points']) => format(points.at(-1)!.y)
  const legend = drawn.map(
    ({ name, points }, i) =>
      html`<li><span class="swatch series-${i % 6}"></span>${name} <span class="value">${last(points)}</span></li>`,
  )
  return html`<figure class="chart">
    <figcaption>${options.title}</figcaption>
    <ul class="legend">${legend}</ul>
    <svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${describe(options.title, drawn, format)}">
      ${axes}
      ${lines}
    </svg>
  </figure>`
}

/** Points as dots, of one kind, as inline SVG. */
export function dotChart(points: readonly Point[], options: ChartOptions): Html {
  if (points.length === 0)
    return html`<figure class="chart"><figcaption>${options.title}</figcaption><p>No values.</p></figure>`
  const { toX, toY, axes } = plane(points, options)
  return html`<figure class="chart">
    <figcaption>${options.title}</figcaption>
    <svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${options.title}: ${points.length} points">
      ${axes}
      ${points.map(({ x, y }) => html`<circle class="dot faint series-0" cx="${toX(x).toFixed(1)}" cy="${toY(y).toFixed(1)}" r="3"/>`)}
    </svg>
  </figure>`
}

interface Point {
  x: number
  y: number
}

/** Where points are drawn, and the axes about them. */
function plane(points: readonly Point[], { xLabel, range, format = shortNumber }: ChartOptions) {
  const xs = points.map(({ x }) => x)
  const ys = points.map(({ y }) => y)
  const xRange = spread(smallest(xs), largest(xs))
  const yTicks = ticks(...(range ?? spread(Math.min(0, smallest(ys)), largest(ys))), 5)
  const yRange = range ?? ([yTicks[0]!, yTicks.at(-1)!] as const)
  const toX = (x: number) =>
    plot.left + ((x - xRange[0]) / (xRange[1] - xRange[0])) * (plot.right - plot.left)
  const toY = (y: number) =>
    plot.bottom - ((y - yRange[0]) / (yRange[1] - yRange[0])) * (plot.bottom - plot.top)
  const grid = yTicks.map(
    (
      tick,
    ) => html`<g class="grid"><line x1="${plot.left}" x2="${plot.right}" y1="${toY(tick)}" y2="${toY(tick)}"/>
      <text x="${plot.left - 8}" y="${toY(tick) + 4}" text-anchor="end">${format(tick)}</text></g>`,
  )
  const bottom = ticks(...xRange, 6)
    .filter((tick) => tick >= xRange[0] && tick <= xRange[1])
    .map(
      (tick) =>
        html`<text x="${toX(tick)}" y="${plot.bottom + 18}" text-anchor="middle">${shortNumber(tick)}</text>`,
    )
  const axes = html`${grid}${bottom}
      <text class="axis" x="${(plot.left + plot.right) / 2}" y="${height - 4}" text-anchor="middle">${xLabel}</text>`
  return { toX, toY, axes }
}

function describe(title: string, series: readonly Series[], format: (value: number) => string): string {
  const parts = series.map(
    ({ name, points }) => `${name} from ${format(points[0]!.y)} to ${format(points.at(-1)!.y)}`,
  )
  return `${title}: ${parts.join('; ')}`
}

function runningMean(points: Series['points']): Series['points'] {
  const reach = Math.max(2, Math.round(points.length / 40))
  return points.map(({ x }, i) => {
    const near = points.slice(Math.max(0, i - reach), i + reach + 1)
    return { x, y: near.reduce((sum, { y }) => sum + y, 0) / near.length }
  })
}

// Spread arguments would overflow the stack on long runs.
function smallest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b))
}

function largest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b))
}

function spread(low: number, high: number): readonly [number, number] {
  return high > low ? [low, high] : [low, low + (Math.abs(low) || 1)]
}

/** Round numbers that enclose the range, about `count` steps apart. */
export function ticks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999) as number) * power
  const first = Math.floor(low / step + 1e-9)
  const last = Math.ceil(high / step - 1e-9)
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

export function shortNumber(value: number): string {
  if (value === 0) return '0'
  const size = Math.abs(value)
  if (size < 1e-3 || size >= 1e6) return value.toExponential(1).replace('e+', 'e')
  return String(Number(value.toPrecision(3)))
}

/** The style sheet of a page with charts. */
export const chartStyle = `
.chart { margin: 0; min-width: 0; position: relative; }
.chart figcaption { font-weight: 650; }
.chart svg { width: 100%; height: auto; display: block; font-size: 12px; }
.chart text { fill: var(--soft); font-variant-numeric: tabular-nums; }
.grid line { stroke: var(--line); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.faint { stroke-width: 1; opacity: 0.28; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 16px; padding: 0; margin: 4px 0 6px; font-size: 0.88rem; color: var(--soft); }
.legend .value { color: var(--ink); font-variant-numeric: tabular-nums; }
.swatch { display: inline-block; width: 14px; height: 3px; vertical-align: middle; margin-right: 4px; border-radius: 2px; }
${[0, 1, 2, 3, 4, 5].map((i) => `path.series-${i} { stroke: var(--s${i}); } circle.series-${i}, .swatch.series-${i} { fill: var(--s${i}); background: var(--s${i}); }`).join('\n')}
`
