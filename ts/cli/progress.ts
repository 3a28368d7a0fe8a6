import { type SingleBar as Bar, SingleBar } from 'cli-progress'
import { withoutArrays } from '../base/without-arrays'
import type { ProgressEvent } from '../run/progress'

/** How progress is shown: bars that redraw themselves, now and then a line, a line of JSON per event, or not at all. */
export type ProgressStyle = 'bar' | 'lines' | 'json' | 'none'

export interface ProgressView {
  show(event: ProgressEvent): void
  /** Leaves the terminal ready for other text. */
  stop(): void
}

const titles: Record<ProgressEvent['phase'], string> = {
  fetch: 'fetching',
  decode: 'reading images',
  compile: 'compiling',
  classify: 'classifying',
  segment: 'segmenting',
  lungs: 'finding lungs',
  train: 'training',
  validate: 'validating',
  checkpoint: 'checkpoint',
  evaluate: 'evaluating',
  quantize: 'quantizing',
  'cross-validate': 'trained',
  reproduce: 'trained',
  store: 'storing',
}

/** Where nobody watches, a line this often is enough. */
const lineIntervalMs = 5000

export function createProgressView(style: ProgressStyle): ProgressView {
  switch (style) {
    case 'bar':
      return new BarView()
    case 'lines':
      return new LineView()
    case 'json':
      return { show: (event) => process.stdout.write(`${JSON.stringify(withoutArrays(event))}\n`), stop() {} }
    case 'none':
      return { show() {}, stop() {} }
  }
}

class BarView implements ProgressView {
  #bar: Bar | undefined
  #phase: string | undefined

  show(event: ProgressEvent): void {
    if (event.phase === 'compile' || event.phase === 'checkpoint') return
    const total = event.total ?? event.done
    if (this.#phase !== event.phase) {
      this.stop()
      this.#phase = event.phase
      this.#bar = new SingleBar({
        format: `{title} {bar} {percentage}% | {value}/{total}{detail}`,
        barCompleteChar: '█',
        barIncompleteChar: '░',
        barsize: 28,
        hideCursor: true,
        stopOnComplete: false,
        gracefulExit: false,
        stream: process.stderr,
        // Long lines would wrap and leave rubbish behind.
        linewrap: false,
      })
      this.#bar.start(total, event.done, { title: titles[event.phase].padEnd(14), detail: detailOf(event) })
      return
    }
    if (event.total !== undefined) this.#bar?.setTotal(event.total)
    const detail = detailOf(event)
    this.#bar?.update(event.done, detail === '' ? {} : { detail })
  }

  stop(): void {
    this.#bar?.stop()
    this.#bar = undefined
    this.#phase = undefined
  }
}

class LineView implements ProgressView {
  #phase: string | undefined
  #lastMs = 0

  show(event: ProgressEvent): void {
    if (event.kind === 'slice') return
    const isFinal = event.done === event.total || 'metrics' in event
    const nowMs = performance.now()
    if (this.#phase === event.phase && !isFinal && nowMs - this.#lastMs < lineIntervalMs) return
    this.#phase = event.phase
    this.#lastMs = nowMs
    const count = event.total === undefined ? `${event.done}` : `${event.done}/${event.total}`
    process.stderr.write(`${titles[event.phase]} ${count}${detailOf(event)}\n`)
  }

  stop(): void {}
}

function detailOf(event: ProgressEvent): string {
  if (event.kind === 'slice') return ''
  const parts: string[] = []
  if (event.phase === 'train') {
    parts.push(`epoch ${event.epoch}/${event.epochs}`, `loss ${event.loss.toFixed(4)}`)
    parts.push(`lr ${event.learningRate.toPrecision(3)}`)
  }
  if (event.phase === 'reproduce') parts.push(event.network)
  if (event.phase === 'cross-validate' || event.phase === 'reproduce')
    parts.push(`fold ${event.fold}`, `seed ${event.seed}`)
  if ('metrics' in event && event.metrics) parts.push(...describeMetrics(event.metrics))
  if (event.samplesPerSecond !== undefined) parts.push(`${event.samplesPerSecond.toFixed(1)}/s`)
  if (event.etaMs) parts.push(`${formatDuration(event.etaMs)} left`)
  return parts.length === 0 ? '' : ` | ${parts.join(', ')}`
}

const shownMetrics = ['accuracy', 'sensitivity', 'specificity', 'auc', 'dice', 'iou']

function describeMetrics(metrics: Record<string, number>): string[] {
  return shownMetrics
    .filter((name) => Number.isFinite(metrics[name]))
    .map((name) => `${name} ${metrics[name]!.toFixed(3)}`)
}

export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60
    ? `${minutes} min ${seconds % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
