import { cancelled, throwIfAborted } from '../base/abort'
import { JcsError } from '../base/errors'
import { type Priority, priorities } from './options'

/** Who wants in. */
export interface Entrant {
  priority: Priority
  client: string
  /** Whether it takes a place of a case, or one of slices. */
  isCase: boolean
  signal: AbortSignal
}

interface Waiting extends Entrant {
  admit: (leave: () => void) => void
  refuse: (error: unknown) => void
  onAbort: () => void
}

export interface Places {
  maxQueue: number
  maxActive: number
  maxActiveCases: number
}

/** Before anything is known of how long a place is held. */
const unknownHoldMs = 1000

/**
 * The door of a service: so many are inside, so many wait, and whoever comes then is told when to come again. Places go
 * by priority, then to the client that has the fewest, then by arrival.
 */
export class Admission {
  readonly #places: Places
  /** In the order of arrival. */
  readonly #waiting: Waiting[] = []
  #active = { slices: 0, cases: 0 }
  readonly #activeOf = new Map<string, number>()
  #meanHoldMs = { slices: unknownHoldMs, cases: unknownHoldMs }

  constructor(places: Places) {
    this.#places = places
  }

  get waiting(): number {
    return this.#waiting.length
  }

  get active(): number {
    return this.#active.slices + this.#active.cases
  }

  /**
   * Refuses whoever `enter` would refuse. Under a flood it is all that is done for most.
   *
   * @throws JcsError BUSY
   */
  requireRoom(entrant: Pick<Entrant, 'priority' | 'isCase'>): void {
    if (this.#waiting.length < this.#places.maxQueue) return
    if (this.#active[kindOf(entrant)] < this.#placesOf(kindOf(entrant))) return
    if (this.#waiting.length > 0 && rank(entrant) < rank(this.#least())) return
    throw this.#busy(entrant)
  }

  /**
   * Gives, once there is a place, the function that gives it back, which may be called twice. Whoever is refused learns
   * it at once, before any work is done for it.
   *
   * @throws JcsError BUSY, CANCELLED
   */
  enter(entrant: Entrant): Promise<() => void> {
    const { signal } = entrant
    throwIfAborted(signal)
    let settle: Pick<Waiting, 'admit' | 'refuse'> | undefined
    const place = new Promise<() => void>((admit, refuse) => {
      settle = { admit, refuse }
    })
    const waiting: Waiting = { ...entrant, ...settle!, onAbort: () => this.#giveUp(waiting) }
    signal.addEventListener('abort', waiting.onAbort, { once: true })
    this.#waiting.push(waiting)
    this.#admitNext()
    if (this.#waiting.length <= this.#places.maxQueue) return place
    const least = this.#least()
    this.#remove(least)
    const busy = this.#busy(least)
    if (least === waiting) throw busy
    least.refuse(busy)
    return place
  }

  #giveUp(waiting: Waiting): void {
    this.#remove(waiting)
    waiting.refuse(cancelled(waiting.signal.reason))
  }

  #remove(waiting: Waiting): void {
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
    waiting.signal.removeEventListener('abort', waiting.onAbort)
  }

  /** Of the lowest priority, the newest. */
  #least(): Waiting {
    return this.#waiting.reduce((least, each) => (rank(each) >= rank(least) ? each : least))
  }

  #busy(refused: Pick<Entrant, 'isCase'>): JcsError {
    const kind = kindOf(refused)
    const ahead = this.#waiting.filter((each) => kindOf(each) === kind).length + 1
    const waitMs = Math.ceil(ahead / this.#placesOf(kind)) * this.#meanHoldMs[kind]
    const retryAfterMs = Math.ceil(waitMs / 50) * 50
    return new JcsError(
      'BUSY',
      `${this.#waiting.length} requests wait already, as many as may; try again in ${retryAfterMs} ms`,
      { retryAfterMs },
    )
  }

  #admitNext(): void {
    while (true) {
      const free = this.#waiting.filter((each) => this.#active[kindOf(each)] < this.#placesOf(kindOf(each)))
      if (free.length === 0) return
      const next = free.reduce((best, each) => (this.#isBefore(each, best) ? each : best))
      this.#remove(next)
      next.admit(this.#take(next))
    }
  }

  #isBefore(a: Waiting, b: Waiting): boolean {
    if (a.priority !== b.priority) return rank(a) < rank(b)
    return (this.#activeOf.get(a.client) ?? 0) < (this.#activeOf.get(b.client) ?? 0)
  }

  #take(entrant: Entrant): () => void {
    const kind = kindOf(entrant)
    const { client } = entrant
    const since = performance.now()
    this.#active[kind]++
    this.#activeOf.set(client, (this.#activeOf.get(client) ?? 0) + 1)
    let isInside = true
    return () => {
      if (!isInside) return
      isInside = false
      this.#active[kind]--
      const left = this.#activeOf.get(client)! - 1
      if (left > 0) this.#activeOf.set(client, left)
      else this.#activeOf.delete(client)
      const heldMs = performance.now() - since
      const mean = this.#meanHoldMs[kind]
      this.#meanHoldMs[kind] = mean === unknownHoldMs ? heldMs : 0.9 * mean + 0.1 * heldMs
      this.#admitNext()
    }
  }

  #placesOf(kind: 'slices' | 'cases'): number {
    return kind === 'cases' ? this.#places.maxActiveCases : this.#places.maxActive
  }
}

function kindOf({ isCase }: Pick<Entrant, 'isCase'>): 'slices' | 'cases' {
  return isCase ? 'cases' : 'slices'
}

function rank({ priority }: Pick<Entrant, 'priority'>): number {
  return priorities.indexOf(priority)
}
