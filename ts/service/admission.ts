import { cancelled } from '../base/abort'
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
  #waiting: Waiting[] = []
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
   * Gives, once there is a place, the function that gives it back.
   *
   * @throws JcsError BUSY, CANCELLED
   */
  enter(entrant: Entrant): Promise<() => void> {
    return new Promise((admit, reject) => {
      const { signal } = entrant
      const onAbort = () => {
        this.#waiting = this.#waiting.filter((each) => each !== waiting)
        waiting.refuse(cancelled(signal.reason))
      }
      const waiting: Waiting = {
        ...entrant,
        admit: (leave) => {
          signal.removeEventListener('abort', onAbort)
          admit(leave)
        },
        refuse: (error) => {
          signal.removeEventListener('abort', onAbort)
          reject(error)
        },
      }
      if (signal.aborted) return reject(cancelled(signal.reason))
      this.#waiting.push(waiting)
      this.#admitNext()
      if (this.#waiting.length > this.#places.maxQueue) this.#refuse(this.#least())
      if (this.#waiting.includes(waiting)) signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Of the lowest priority, the newest. */
  #least(): Waiting {
    return this.#waiting.reduce((least, each) => (rank(each) >= rank(least) ? each : least))
  }

  #refuse(waiting: Waiting): void {
    this.#waiting = this.#waiting.filter((each) => each !== waiting)
    const kind = kindOf(waiting)
    const ahead = this.#waiting.filter((each) => kindOf(each) === kind).length + 1
    const retryAfterMs =
      Math.ceil((Math.ceil(ahead / this.#placesOf(kind)) * this.#meanHoldMs[kind]) / 50) * 50
    waiting.refuse(
      new JcsError(
        'BUSY',
        `${this.#waiting.length} requests wait already, as many as may; try again in ${retryAfterMs} ms`,
        { retryAfterMs },
      ),
    )
  }

  #admitNext(): void {
    while (true) {
      const free = this.#waiting.filter((each) => this.#active[kindOf(each)] < this.#placesOf(kindOf(each)))
      if (free.length === 0) return
      const next = free.reduce((best, each) => (this.#isBefore(each, best) ? each : best))
      this.#waiting = this.#waiting.filter((each) => each !== next)
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
    return () => {
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

function kindOf({ isCase }: Entrant): 'slices' | 'cases' {
  return isCase ? 'cases' : 'slices'
}

function rank({ priority }: Entrant): number {
  return priorities.indexOf(priority)
}
