import { version } from '../base/version'
import type { Observer } from './observer'

/** Spans of requests below those of their callers, and metrics, where the application has an OpenTelemetry SDK. */
export function openTelemetryObserver(): Observer {
  const api = require('@opentelemetry/api') as typeof import('@opentelemetry/api') // not before it is needed
  const { context, metrics, SpanStatusCode, trace } = api
  const tracer = trace.getTracer('jcs-ct', version)
  const meter = metrics.getMeter('jcs-ct', version)
  const duration = meter.createHistogram('jcs.request.duration', { unit: 's' })
  const slices = meter.createCounter('jcs.slices', { unit: '{slice}' })
  const batch = meter.createHistogram('jcs.batch.slices', { unit: '{slice}' })
  const changes = meter.createCounter('jcs.model.changes', { unit: '{change}' })
  return {
    onRequest: ({ kind, outcome, queuedMs, durationMs }) => {
      if (queuedMs !== undefined) duration.record(durationMs / 1000, { kind, outcome })
      const end = Date.now()
      const attributes = {
        'jcs.outcome': outcome,
        ...(queuedMs !== undefined && { 'jcs.queued_ms': queuedMs }),
      }
      const span = tracer.startSpan(
        `jcs ${kind}`,
        { startTime: end - durationMs, attributes },
        context.active(),
      )
      if (outcome !== 'ok') span.setStatus({ code: SpanStatusCode.ERROR, message: outcome })
      span.end(end)
    },
    onBatch: ({ work, model, device, ...event }) => {
      slices.add(event.slices, { work, model, device })
      batch.record(event.slices, { work, model, device })
    },
    onModel: ({ action, model, device }) => changes.add(1, { action, model, device }),
  }
}
