import { cancelled } from '../base/abort'
import type { Classifier } from '../inference/classification'
import type { Segmenter } from '../inference/segmentation'
import {
  callNative,
  callNativeNow,
  type NativeCancellation,
  type NativeModel,
  type NativeSliceStore,
  type NativeStoredSlices,
} from '../native'
import type { BatchEvent, Observer } from './observer'
import { type Priority, priorities } from './options'

/** Whose slices they are. */
export interface Asker {
  priority: Priority
  signal: AbortSignal
}

/** A model on the device, and by what it is known. */
export interface BatchedModel {
  name: string
  native: NativeModel
  /** `cpu`, `cuda:0`. */
  device: string
  /** Slices that it sees at once. */
  largestBatch: number
}

type Work = 'classify' | 'segment'

/** Slices that one asker wants seen, in the same way, and what is there of it. */
interface Call {
  asker: Asker
  slices: { store: NativeSliceStore; index: number }[]
  /** The first that no batch has taken. */
  next: number
  /** Slices in batches that have not ended. */
  underway: number
  results: unknown[]
  since: number
  failure: { error: unknown } | undefined
  settle: () => void
}

/** Calls whose slices may be seen together: of one model, and the same is asked of it. */
interface Lane {
  model: BatchedModel
  work: Work
  see: (
    slices: NativeStoredSlices[],
    batchSize: number,
    cancellation: NativeCancellation,
  ) => Promise<unknown[]>
  /** With slices that no batch has taken; the next one to take from is the first. */
  calls: Call[]
}

interface Taken {
  call: Call
  position: number
}

/** One computes and the next is packed. */
const mostUnderway = 2

/**
 * Puts the slices of many requests together for the models of a device. A batch starts as soon as the device has nothing
 * to do, however small it is, so that nobody waits for company; while one computes, only a full one is prepared. Slices
 * are taken one by one from each request in turn, so that a small one is not behind a large one.
 */
export class Batcher {
  readonly #lanes = new Map<string, Lane>()
  readonly #keys = new WeakMap<NativeModel, number>()
  readonly #observer: Observer
  #lastKey = 0
  #underway = 0
  #isPumpDue = false
  readonly #batches = new Set<{ cancelIfUnwanted: () => void }>()

  constructor(observer: Observer) {
    this.#observer = observer
  }

  /** Takes the place of the model in what an asker wants done. */
  network(model: BatchedModel, asker: Asker): Classifier & Segmenter {
    return {
      classify: (slices, { batchSize: _size, isRemainder: _rest, ...wanted }) =>
        this.#ask(model, asker, 'classify', slices, wanted, (parts, batchSize, cancellation) =>
          model.native.classify(parts, { ...wanted, batchSize, isRemainder: false }, cancellation),
        ),
      segment: (slices, { batchSize: _size, isRemainder: _rest, ...wanted }) =>
        this.#ask(model, asker, 'segment', slices, wanted, (parts, batchSize, cancellation) =>
          model.native.segment(parts, { ...wanted, batchSize, isRemainder: false }, cancellation),
        ),
    }
  }

  #ask<Result>(
    model: BatchedModel,
    asker: Asker,
    work: Work,
    parts: readonly NativeStoredSlices[],
    wanted: object,
    see: Lane['see'],
  ): Promise<Result[]> {
    if (!this.#keys.has(model.native)) this.#keys.set(model.native, ++this.#lastKey)
    const key = `${this.#keys.get(model.native)} ${work} ${JSON.stringify(wanted)}`
    const slices = parts.flatMap(({ store, slices }) => slices.map((index) => ({ store, index })))
    return new Promise((resolve, reject) => {
      const { signal } = asker
      if (signal.aborted) return reject(cancelled(signal.reason))
      const call: Call = {
        asker,
        slices,
        next: 0,
        underway: 0,
        results: [],
        since: performance.now(),
        failure: undefined,
        settle: () => {
          signal.removeEventListener('abort', onAbort)
          if (call.failure) reject(call.failure.error)
          else resolve(call.results as Result[])
        },
      }
      const onAbort = () => this.#fail(key, call, cancelled(signal.reason))
      signal.addEventListener('abort', onAbort, { once: true })
      const lane = this.#lanes.get(key) ?? { model, work, see, calls: [] }
      this.#lanes.set(key, lane)
      lane.calls.push(call)
      this.#pumpSoon()
    })
  }

  /** What is not begun of it is dropped. It ends once what is underway has, for until then its slices are read. */
  #fail(key: string, call: Call, error: unknown): void {
    call.failure ??= { error }
    const lane = this.#lanes.get(key)
    if (lane) {
      lane.calls = lane.calls.filter((each) => each !== call)
      if (lane.calls.length === 0) this.#lanes.delete(key)
    }
    if (call.underway === 0) call.settle()
    else for (const batch of this.#batches) batch.cancelIfUnwanted()
  }

  /** Those who ask in the same turn of the event loop are seen together. */
  #pumpSoon(): void {
    if (this.#isPumpDue) return
    this.#isPumpDue = true
    queueMicrotask(() => {
      this.#isPumpDue = false
      this.#pump()
    })
  }

  #pump(): void {
    while (this.#underway < mostUnderway) {
      const next = this.#nextLane()
      if (!next) return
      const [key, lane] = next
      const waiting = lane.calls.reduce((sum, call) => sum + call.slices.length - call.next, 0)
      if (this.#underway > 0 && waiting < lane.model.largestBatch) return
      this.#start(key, lane, batchOf(waiting, lane.model))
    }
  }

  /** The highest priority, and of that whoever has waited longest. */
  #nextLane(): [string, Lane] | undefined {
    let best: { entry: [string, Lane]; rank: number; since: number } | undefined
    for (const entry of this.#lanes) {
      for (const { asker, since } of entry[1].calls) {
        const rank = priorities.indexOf(asker.priority)
        if (best && (rank > best.rank || (rank === best.rank && since >= best.since))) continue
        best = { entry, rank, since }
      }
    }
    return best?.entry
  }

  #start(key: string, lane: Lane, count: number): void {
    const taken = this.#take(key, lane, count)
    this.#underway++
    const startedAt = performance.now()
    const requests = new Set(taken.map(({ call }) => call))
    const waitedMs = startedAt - Math.min(...[...requests].map(({ since }) => since))
    this.#see(lane, taken)
      .catch(async (error) => {
        // What is wrong with the slices of one is nothing to the others.
        if (requests.size === 1) return this.#failAll(key, requests, error)
        for (const call of requests)
          await this.#see(
            lane,
            taken.filter((each) => each.call === call),
          ).catch((own) => this.#failAll(key, [call], own))
      })
      .finally(() => {
        this.#underway--
        const event: BatchEvent = {
          work: lane.work,
          model: lane.model.name,
          device: lane.model.device,
          slices: taken.length,
          requests: requests.size,
          waitedMs,
          durationMs: performance.now() - startedAt,
        }
        this.#observer.onBatch(event)
        for (const call of requests) {
          call.underway -= taken.filter((each) => each.call === call).length
          if (call.underway === 0 && (call.failure || call.next === call.slices.length)) call.settle()
        }
        this.#pump()
      })
  }

  #failAll(key: string, calls: Iterable<Call>, error: unknown): void {
    for (const call of calls) this.#fail(key, call, error)
  }

  /** One slice of each in turn, those of the highest priority first. */
  #take(key: string, lane: Lane, count: number): Taken[] {
    const taken: Taken[] = []
    for (const priority of priorities) {
      let calls = lane.calls.filter(({ asker }) => asker.priority === priority)
      while (calls.length > 0 && taken.length < count) {
        for (const call of calls.slice(0, count - taken.length)) {
          taken.push({ call, position: call.next++ })
          call.underway++
          // Behind the others, for the next batch too.
          lane.calls.splice(lane.calls.indexOf(call), 1)
          if (call.next < call.slices.length) lane.calls.push(call)
        }
        calls = calls.filter((call) => call.next < call.slices.length)
      }
    }
    if (lane.calls.length === 0) this.#lanes.delete(key)
    return taken
  }

  /** Runs the network on slices, and hands out what comes of them. */
  async #see(lane: Lane, taken: Taken[]): Promise<void> {
    const byStore = new Map<NativeSliceStore, Taken[]>()
    for (const each of taken) {
      const { store } = each.call.slices[each.position]!
      const same = byStore.get(store)
      if (same) same.push(each)
      else byStore.set(store, [each])
    }
    const parts = [...byStore].map(([store, each]) => ({
      store,
      slices: each.map(({ call, position }) => call.slices[position]!.index),
    }))
    const cancellation = callNativeNow(({ Cancellation }) => new Cancellation())
    const batch = {
      cancelIfUnwanted: () => {
        if (taken.every(({ call }) => call.failure)) cancellation.cancel()
      },
    }
    this.#batches.add(batch)
    batch.cancelIfUnwanted()
    try {
      const results = await callNative(() => lane.see(parts, taken.length, cancellation))
      let next = 0
      for (const { call, position } of [...byStore.values()].flat()) {
        call.results[position] = results[next++]
      }
    } finally {
      this.#batches.delete(batch)
    }
  }
}

/**
 * Programs are compiled for full batches and powers of two. On a CPU, where two small batches cost what a large one does,
 * none is filled up with nothing; on a GPU that is cheaper than another run.
 */
function batchOf(waiting: number, { largestBatch, device }: BatchedModel): number {
  const count = Math.min(waiting, largestBatch)
  return count === largestBatch || device !== 'cpu' ? count : 2 ** Math.floor(Math.log2(count))
}
