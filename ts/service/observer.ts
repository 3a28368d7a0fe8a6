import type { JcsErrorCode } from '../base/errors'

/** A request that has ended. */
export interface RequestEvent {
  kind: 'classify' | 'segment' | 'diagnose'
  outcome: 'ok' | JcsErrorCode
  /** Until it got a place; undefined for one that got none. */
  queuedMs: number | undefined
  /** From the call to its end. */
  durationMs: number
}

/** Slices that were seen together. */
export interface BatchEvent {
  work: 'classify' | 'segment'
  model: string
  device: string
  slices: number
  /** Of how many requests they are. */
  requests: number
  /** The one that waited longest. */
  waitedMs: number
  durationMs: number
}

/** A model that was loaded, replaced by another, or gave up its memory. */
export interface ModelEvent {
  action: 'loaded' | 'replaced' | 'evicted'
  model: string
  device: string
  memoryBytes: number
  durationMs: number
}

/** Is told what happens in a service; it does not wait, and what it throws is not its service's trouble. */
export interface Observer {
  onRequest(event: RequestEvent): void
  onBatch(event: BatchEvent): void
  onModel(event: ModelEvent): void
}

/** Tells all of them. */
export function everyObserver(observers: readonly Observer[]): Observer {
  const tell = <Event>(call: (observer: Observer, event: Event) => void) => {
    return (event: Event) => {
      for (const observer of observers) {
        try {
          call(observer, event)
        } catch {}
      }
    }
  }
  return {
    onRequest: tell((observer, event: RequestEvent) => observer.onRequest(event)),
    onBatch: tell((observer, event: BatchEvent) => observer.onBatch(event)),
    onModel: tell((observer, event: ModelEvent) => observer.onModel(event)),
  }
}
