import { JcsError } from '../base/errors'
import type { ModelSpec } from '../model/spec'
import type { ProgressEvent, TrainProgress, ValidateProgress } from '../run/progress'
import { chartStyle, lineChart, type Series, shortNumber } from './chart'
import { type Html, html } from './html'
import { metricName, metricText } from './metric-text'
import { factTable, notes, page } from './page'

/** What the report shows of a training run; a TrainResult is one. */
export interface ReportedTraining {
  model: { spec: ModelSpec; device: string; precision: string }
  history: readonly ProgressEvent[]
  metrics: Readonly<Record<string, number>>
  settings: Readonly<Record<string, unknown>>
  warnings: readonly string[]
  iterations: number
}

export interface TrainingReportOptions {
  title?: string | undefined
  createdAt?: Date | undefined
}

/**
 * A self-contained HTML page: curves of the loss and its terms, of the learning rate and of the validation metrics, and
 * every setting of the run.
 *
 * @throws JcsError INVALID_ARGUMENT when the history holds no training step
 */
export function trainingReport(result: ReportedTraining, options: TrainingReportOptions = {}): string {
  const steps = result.history.filter((event): event is TrainProgress => event.phase === 'train')
  const validations = result.history.filter((event): event is ValidateProgress => event.phase === 'validate')
  const lastStep = steps.at(-1)
  if (!lastStep)
    throw new JcsError('INVALID_ARGUMENT', 'the training history holds no step: nothing to report')
  const { spec, device, precision } = result.model
  const { title = `Training of ${spec.network}`, createdAt } = options
  const content = html`
<section class="card">
  <h2>Result</h2>
  <dl class="tiles">
    ${Object.entries(result.metrics).map(([name, value]) => tile(metricName(name), metricText(name, value)))}
    ${tile('last loss', shortNumber(lastStep.loss))}
    ${tile('epochs', String(lastStep.epoch))}
    ${tile('iterations', String(result.iterations))}
  </dl>
  ${Object.keys(result.metrics).length === 0 && html`<p class="hint">There was no validation data: how well the network does on data it has not seen is unknown.</p>`}
</section>
${notes(result.warnings)}
<section class="card charts">
  ${lossChart(steps)}
  ${metricsChart(validations)}
  ${lineChart(
    [{ name: 'learning rate', points: steps.map((step) => ({ x: step.iteration, y: step.learningRate })) }],
    {
      title: 'Learning rate',
      xLabel: 'iteration',
    },
  )}
  ${throughputChart(steps)}
</section>
<section class="card">
  <h2>Network and settings</h2>
  <div class="scroll">${factTable([
    ...facts(spec as unknown as Record<string, unknown>),
    ['device', device],
    ['precision', precision],
    ...facts(result.settings),
  ])}</div>
</section>`
  const subtitle = `${spec.network}, ${spec.variant ?? 'paper'} variant, width ${spec.width ?? 1}`
  return page({ title, subtitle, createdAt }, content, trainingStyle)
}

function tile(name: string, value: string): Html {
  return html`<div class="tile"><dt>${name}</dt><dd>${value}</dd></div>`
}

function lossChart(steps: readonly TrainProgress[]): Html {
  const names = [...new Set(steps.flatMap(({ losses }) => Object.keys(losses)))]
  const of = (name: string, value: (step: TrainProgress) => number | undefined): Series => ({
    name,
    smooth: true,
    points: steps.map((step) => ({ x: step.iteration, y: value(step) ?? Number.NaN })),
  })
  const terms =
    names.length > 1 ? names.map((name) => of(metricName(name), ({ losses }) => losses[name])) : []
  return lineChart([of('loss', ({ loss }) => loss), ...terms], {
    title: 'Loss and its terms',
    xLabel: 'iteration',
  })
}

/** Metrics that are shares, together on one scale from 0 to 1; the rest stay in the tiles. */
function metricsChart(validations: readonly ValidateProgress[]): Html {
  const scored = validations.flatMap(({ iteration, metrics }) => (metrics ? [{ iteration, metrics }] : []))
  const names = [...new Set(scored.flatMap(({ metrics }) => Object.keys(metrics)))].filter((name) =>
    scored.every(({ metrics }) => !(metrics[name]! > 1 || metrics[name]! < 0)),
  )
  const [only, ...more] = scored
  if (only && more.length === 0) return metricsTable(only.metrics)
  const series = names.slice(0, 6).map((name) => ({
    name: metricName(name),
    points: scored.map(({ iteration, metrics }) => ({ x: iteration, y: metrics[name] ?? Number.NaN })),
  }))
  return lineChart(series, {
    title: 'Validation',
    xLabel: 'iteration',
    range: [0, 1],
    format: (value) => value.toFixed(2),
  })
}

/** A single validation is no curve. */
function metricsTable(metrics: Readonly<Record<string, number>>): Html {
  const rows = Object.entries(metrics).map(
    ([name, value]) => [metricName(name), metricText(name, value)] as const,
  )
  return html`<figure class="chart"><figcaption>Validation</figcaption>${factTable(rows)}</figure>`
}

function throughputChart(steps: readonly TrainProgress[]): Html | undefined {
  const points = steps.flatMap(({ iteration, samplesPerSecond }) =>
    samplesPerSecond === undefined ? [] : [{ x: iteration, y: samplesPerSecond }],
  )
  if (points.length === 0) return undefined
  return lineChart([{ name: 'samples per second', points }], { title: 'Throughput', xLabel: 'iteration' })
}

/** Nested settings, flattened: `schedule.learningRate`. */
function facts(value: Record<string, unknown>, prefix = ''): [string, string][] {
  return Object.entries(value).flatMap(([name, inner]): [string, string][] => {
    const path = prefix + name
    if (inner === undefined) return []
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner))
      return [[path, settingText(inner)]]
    return facts(inner as Record<string, unknown>, `${path}.`)
  })
}

function settingText(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (Array.isArray(value)) return value.map(settingText).join(', ')
  return value === null ? 'none' : String(value)
}

const trainingStyle = `
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 28px; }
${chartStyle}`
