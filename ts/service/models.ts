import { throwIfAborted, untilAborted } from '../base/abort'
import { JcsError } from '../base/errors'
import { loadModel, Model, nativeOf } from '../model'
import type { RuntimeOptions } from '../model/runtime'
import type { ModelEvent, Observer } from './observer'
import type { ServiceModel } from './options'

/** A model in memory. */
interface Held {
  model: Model
  /** A caller's model is not the service's to dispose of. */
  isOwn: boolean
  /** Whether it has run once. */
  isWarm: boolean
  leases: number
  /** Another took its place: it goes with its last lease. */
  isReplaced: boolean
}

interface Entry {
  name: string
  source: ServiceModel
  held: Held | undefined
  lastUse: number
  /** What it took when it was last in memory. */
  knownBytes: number
}

/** Models that stay in memory until `release`. */
export interface Lease {
  model(name: string): Model
  release(): void
}

export interface ModelStatus {
  name: string
  /** Where it is, or will be loaded: `cpu`, `cuda:0`, `auto`. */
  device: string
  isLoaded: boolean
  /** 0 where it is not in memory. */
  memoryBytes: number
  /** Requests that use it now. */
  requests: number
}

/**
 * The models of a service on one device. They are loaded when they are asked for, stay while somebody uses them, and
 * give way to others, least recently used first, when all together would take more than the budget. Whoever needs a
 * model that is not there waits in a line; while the first of it waits for memory that others use, all that come wait
 * behind it, so that its turn comes.
 */
export class DeviceModels {
  readonly #entries = new Map<string, Entry>()
  readonly #runtime: RuntimeOptions
  readonly #budgetBytes: number
  readonly #warmUp: (model: Model) => Promise<void>
  readonly #observer: Observer
  #uses = 0
  #line: Promise<unknown> = Promise.resolve()
  #isShortOfMemory = false
  readonly #awaitingRelease = new Set<() => void>()

  constructor(
    models: ReadonlyMap<string, ServiceModel>,
    settings: { runtime: RuntimeOptions; budgetBytes: number; warmUp: (model: Model) => Promise<void> },
    observer: Observer,
  ) {
    this.#runtime = settings.runtime
    this.#budgetBytes = settings.budgetBytes
    this.#warmUp = settings.warmUp
    this.#observer = observer
    for (const [name, source] of models) this.#entries.set(name, entryOf(name, source))
  }

  status(): ModelStatus[] {
    return [...this.#entries.values()].map(({ name, held }) => ({
      name,
      device: held?.model.device ?? this.#runtime.device ?? 'auto',
      isLoaded: held !== undefined,
      memoryBytes: bytesOf(held),
      requests: held?.leases ?? 0,
    }))
  }

  /**
   * Holds models of these names, loaded where they are not.
   *
   * @throws JcsError INVALID_ARGUMENT for a name that is none, OUT_OF_MEMORY for more than the budget, CANCELLED, and
   * what loading gives
   */
  async lease(names: readonly string[], signal: AbortSignal): Promise<Lease> {
    const entries = [...new Set(names)].map((name) => this.#entry(name))
    if (!this.#isShortOfMemory && entries.every(({ held }) => held)) return this.#take(entries)
    return this.#inTurn(async () => {
      throwIfAborted(signal)
      const current = entries.map(({ name }) => this.#entry(name)) // replaced meanwhile, perhaps
      await this.#load(current, signal)
      return this.#take(current)
    })
  }

  /** Has it in memory, and warmed up. @throws JcsError what `lease` gives */
  async prepare(name: string): Promise<Model> {
    return this.#inTurn(async () => {
      const entry = this.#entry(name)
      await this.#load([entry], undefined)
      return entry.held!.model
    })
  }

  /** Loads and warms up another, and puts it in the place of that name: whoever comes from then on gets it. */
  async replace(name: string, source: ServiceModel): Promise<void> {
    this.#entry(name)
    await this.#inTurn(async () => {
      const before = this.#entry(name)
      const after = { ...entryOf(name, source), knownBytes: before.knownBytes }
      await this.#load([after], undefined)
      this.#entries.set(name, after)
      if (!before.held) return
      before.held.isReplaced = true
      this.#report('replaced', name, before.held, 0)
      if (before.held.leases === 0) await dispose(before.held)
    })
  }

  /** Frees what the service loaded, as soon as running work is done. */
  async close(): Promise<void> {
    await this.#inTurn(async () => {
      for (const { held } of this.#own()) await dispose(held!)
    })
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name)
    if (entry) return entry
    const names = [...this.#entries.keys()].map((each) => `'${each}'`).join(', ')
    throw new JcsError('INVALID_ARGUMENT', `the service has no model '${name}'; it has ${names}`)
  }

  /** Those in memory that it loaded. */
  #own(): Entry[] {
    return [...this.#entries.values()].filter(({ held }) => held?.isOwn)
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#line.then(work)
    this.#line = result.catch(() => {})
    return result
  }

  /** Has them in memory together, within the budget. */
  async #load(wanted: readonly Entry[], signal: AbortSignal | undefined): Promise<void> {
    const missing = wanted.filter(({ held }) => !held)
    try {
      await this.#makeRoom(wanted, signal)
      for (const entry of wanted) await this.#loadOne(entry, signal)
      // Only now is it certain what they take.
      if (missing.length > 0) await this.#makeRoom(wanted, signal)
    } catch (error) {
      for (const entry of missing) await this.#evict(entry)
      throw error
    }
  }

  /**
   * Evicts others until those that are wanted fit, as far as is known.
   *
   * @throws JcsError OUT_OF_MEMORY when they would not alone
   */
  async #makeRoom(wanted: readonly Entry[], signal: AbortSignal | undefined): Promise<void> {
    try {
      while (this.#bytesWith(wanted) > this.#budgetBytes) {
        throwIfAborted(signal)
        if (await this.#evictIdle(wanted)) continue
        if (this.#own().every((entry) => wanted.includes(entry))) throw this.#tooLarge(wanted)
        this.#isShortOfMemory = true
        await untilAborted(this.#nextRelease(), signal)
      }
    } finally {
      this.#isShortOfMemory = false
    }
  }

  /** What those in memory take, and what others would. */
  #bytesWith(wanted: readonly Entry[]): number {
    const entries = new Set([...this.#own(), ...wanted])
    return [...entries].reduce((total, entry) => total + neededBytes(entry), 0)
  }

  /** The one that was used longest ago, of those that nobody uses. Whether there was one. */
  async #evictIdle(kept: readonly Entry[]): Promise<boolean> {
    const idle = this.#own().filter((entry) => entry.held!.leases === 0 && !kept.includes(entry))
    if (idle.length === 0) return false
    await this.#evict(idle.reduce((a, b) => (b.lastUse < a.lastUse ? b : a)))
    return true
  }

  #tooLarge(wanted: readonly Entry[]): JcsError {
    const sizes = wanted.map((entry) => `'${entry.name}' takes ${neededBytes(entry)} bytes`).join(', ')
    return new JcsError(
      'OUT_OF_MEMORY',
      `${sizes}, more than the ${this.#budgetBytes} of memoryBudgetBytes; raise it, or take smaller models`,
    )
  }

  async #evict(entry: Entry): Promise<void> {
    const { held } = entry
    if (!held?.isOwn) return
    entry.knownBytes = neededBytes(entry)
    entry.held = undefined
    this.#report('evicted', entry.name, held, 0)
    await dispose(held)
  }

  async #loadOne(entry: Entry, signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal)
    if (entry.held?.isWarm) return
    const startedAt = performance.now()
    entry.held ??= heldOf(await loadModel(entry.source as Exclude<ServiceModel, Model>, this.#runtime), true)
    await this.#warmUp(entry.held.model)
    entry.held.isWarm = true
    if (!entry.held.isOwn) return
    entry.knownBytes = neededBytes(entry)
    this.#report('loaded', entry.name, entry.held, performance.now() - startedAt)
  }

  #take(entries: readonly Entry[]): Lease {
    const held = new Map(entries.map((entry) => [entry.name, entry.held!]))
    for (const entry of entries) {
      entry.lastUse = ++this.#uses
      entry.held!.leases++
    }
    return {
      model: (name) => held.get(name)!.model,
      release: () => {
        for (const each of held.values()) {
          each.leases--
          if (each.isReplaced && each.leases === 0) dispose(each).catch(() => {})
        }
        for (const resolve of this.#awaitingRelease) resolve()
        this.#awaitingRelease.clear()
        this.#trim()
      },
    }
  }

  /** A model grows while it is used, by what its programs for other sizes keep. */
  #trim(): void {
    if (this.#budgetBytes === Number.MAX_SAFE_INTEGER || this.#bytesWith([]) <= this.#budgetBytes) return
    this.#inTurn(async () => {
      while (this.#bytesWith([]) > this.#budgetBytes && (await this.#evictIdle([]))) {}
    }).catch(() => {}) // what cannot be freed stays
  }

  #nextRelease(): Promise<void> {
    return new Promise((resolve) => this.#awaitingRelease.add(resolve))
  }

  #report(action: ModelEvent['action'], model: string, held: Held, durationMs: number): void {
    const { device } = held.model
    this.#observer.onModel({ action, model, device, memoryBytes: bytesOf(held), durationMs })
  }
}

function entryOf(name: string, source: ServiceModel): Entry {
  const isModel = source instanceof Model
  if (isModel) nativeOf(source)
  const held = isModel ? heldOf(source, false) : undefined
  return { name, source, held, lastUse: 0, knownBytes: 0 }
}

function heldOf(model: Model, isOwn: boolean): Held {
  return { model, isOwn, isWarm: false, leases: 0, isReplaced: false }
}

function bytesOf(held: Held | undefined): number {
  return held && !held.model.disposed ? held.model.memoryBytes : 0
}

/** What a model that has run nothing yet is going to take at least, about. */
function parameterBytesOf(model: Model): number {
  return model
    .parameters()
    .reduce((total, { shape }) => total + 4 * shape.reduce((product, extent) => product * extent, 1), 0)
}

/** Of the budget. */
function neededBytes({ held, knownBytes }: Entry): number {
  if (!held) return knownBytes
  return held.isOwn ? bytesOf(held) || parameterBytesOf(held.model) : 0
}

async function dispose({ model, isOwn }: Held): Promise<void> {
  if (isOwn) await model.dispose()
}
