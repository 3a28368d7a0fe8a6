import type { Gauge as GaugeOf } from 'prom-client'
import type { ModelStatus } from './models'
import type { Observer } from './observer'

/** What is read at the time of asking. */
export interface Gauges {
  waiting: number
  active: number
  models: readonly ModelStatus[]
}

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]

/** Counts what happens in a service. `text` gives it in Prometheus' text format, version 0.0.4. */
export function prometheusMetrics(gauges: () => Gauges): { observer: Observer; text: () => Promise<string> } {
  const { Counter, Gauge, Histogram, Registry } = require('prom-client') as typeof import('prom-client') // not before it is needed
  const registry = new Registry()
  const registers = [registry]
  const counter = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers })
  const histogram = (name: string, help: string, labelNames: string[], buckets = seconds) =>
    new Histogram({ name, help, labelNames, buckets, registers })
  const gauge = (name: string, help: string, labelNames: string[], collect: (own: GaugeOf) => void) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset()
        collect(this)
      },
    })

  const requests = counter('jcs_requests_total', 'Requests that have ended.', ['kind', 'outcome'])
  const duration = histogram(
    'jcs_request_duration_seconds',
    'From the call to the end of a request that had a place.',
    ['kind'],
  )
  const queued = histogram('jcs_request_queued_seconds', 'Until a request got a place.', ['kind'])
  const slices = counter('jcs_slices_total', 'Slices that a model saw.', ['work', 'model', 'device'])
  const batch = histogram(
    'jcs_batch_slices',
    'Slices that were seen together.',
    ['work', 'model', 'device'],
    [1, 2, 4, 8, 16, 32, 64],
  )
  const batchDuration = histogram('jcs_batch_duration_seconds', 'Of a batch in the network.', [
    'work',
    'model',
    'device',
  ])
  const models = counter('jcs_model_changes_total', 'Models loaded, replaced, evicted.', [
    'action',
    'model',
    'device',
  ])
  gauge('jcs_requests_waiting', 'Requests that wait for a place.', [], (own) => own.set(gauges().waiting))
  gauge('jcs_requests_active', 'Requests that are worked on.', [], (own) => own.set(gauges().active))
  gauge(
    'jcs_model_memory_bytes',
    'Memory of a model, 0 when it is not loaded.',
    ['model', 'device'],
    (own) => {
      for (const { name, device, memoryBytes } of gauges().models)
        own.set({ model: name, device }, memoryBytes)
    },
  )

  const observer: Observer = {
    onRequest: ({ kind, outcome, queuedMs, durationMs }) => {
      requests.inc({ kind, outcome })
      // How fast requests are refused says nothing of how fast they are served.
      if (queuedMs === undefined) return
      queued.observe({ kind }, queuedMs / 1000)
      duration.observe({ kind }, durationMs / 1000)
    },
    onBatch: ({ work, model, device, durationMs, ...event }) => {
      slices.inc({ work, model, device }, event.slices)
      batch.observe({ work, model, device }, event.slices)
      batchDuration.observe({ work, model, device }, durationMs / 1000)
    },
    onModel: ({ action, model, device }) => models.inc({ action, model, device }),
  }
  return { observer, text: () => registry.metrics() }
}
