import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from 'node-sqlite3-wasm'
import { JcsError } from '../base/errors'

/**
 * Where a series stands. It is `waiting` until it is complete and diagnosed; `ready` once its results lie on the disk,
 * under UIDs that do not change any more; `done` when they are where they belong. A `failed` one was tried in vain as often
 * as that may help, and one that is `left` is no chest CT: both wait anew when they change.
 */
export type SeriesState = 'waiting' | 'ready' | 'done' | 'failed' | 'left'

export interface SeriesRow {
  uid: string
  study: string
  instances: number
  /** When the number of instances was first seen, ms since 1970. */
  sinceMs: number
  state: SeriesState
  /** How often it was tried in vain. */
  attempts: number
  /** Once it is diagnosed. */
  positive?: boolean
  /** Why it failed or was left. */
  reason?: string
}

/** A result of a series, which lies in the state's directory. */
export interface ResultRow {
  instanceUid: string
  stored: boolean
}

const schema = `
  CREATE TABLE IF NOT EXISTS source (address TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS series (
    uid TEXT PRIMARY KEY,
    study TEXT NOT NULL,
    instances INTEGER NOT NULL,
    sinceMs INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'ready', 'done', 'failed', 'left')),
    attempts INTEGER NOT NULL DEFAULT 0,
    positive INTEGER,
    reason TEXT
  );
  CREATE TABLE IF NOT EXISTS result (
    instanceUid TEXT PRIMARY KEY,
    series TEXT NOT NULL REFERENCES series (uid),
    position INTEGER NOT NULL,
    stored INTEGER NOT NULL DEFAULT 0
  );
`
const schemaVersion = 1

/**
 * What was seen and done, in an SQLite database that survives being killed at any moment. Whoever opens it is the only
 * one: see `holdAlone`.
 */
export class WatchState implements Disposable {
  readonly #database: Database

  /**
   * @param address of the archive or folder that is watched: series and results of one mean nothing to another
   * @throws JcsError INVALID_ARGUMENT for the state of another source, FILE_UNWRITABLE, CORRUPT_FILE for a file that is
   * none, or of a later version
   */
  constructor(directory: string, address: string) {
    const path = join(directory, 'watch.sqlite')
    // The database's own lock outlives who is killed; that nobody else has it open is made sure of before.
    rmSync(`${path}.lock`, { recursive: true, force: true })
    try {
      const sqlite = require('node-sqlite3-wasm') as typeof import('node-sqlite3-wasm') // not before it is needed
      this.#database = new sqlite.Database(path)
    } catch (error) {
      throw new JcsError('FILE_UNWRITABLE', `'${path}' cannot be opened: ${(error as Error).message}`, {
        cause: error,
      })
    }
    try {
      this.#database.exec('PRAGMA synchronous = FULL')
      const version = this.#database.get('PRAGMA user_version')?.user_version
      if (version !== 0 && version !== schemaVersion)
        throw new Error(`it is of version ${version}, of a later jcs-ct`)
      this.#transaction(() => this.#database.exec(`${schema}; PRAGMA user_version = ${schemaVersion}`))
      this.#belongTo(address)
    } catch (error) {
      this.#database.close()
      if (error instanceof JcsError) throw error
      throw new JcsError('CORRUPT_FILE', `'${path}' is no state of a watch: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }

  #belongTo(address: string): void {
    const known = this.#database.get('SELECT address FROM source')?.address
    if (known === undefined) this.#database.run('INSERT INTO source (address) VALUES (?)', address)
    else if (known !== address)
      throw new JcsError(
        'INVALID_ARGUMENT',
        `the state is of a watch of '${known}'; give each source a state of its own`,
      )
  }

  /** Notes what a list says of a series; gives its row. A number of instances that changed has it wait anew. */
  see({ uid, study, instances }: Pick<SeriesRow, 'uid' | 'study' | 'instances'>, nowMs: number): SeriesRow {
    this.#database.run(
      `INSERT INTO series (uid, study, instances, sinceMs) VALUES (:uid, :study, :instances, :now)
       ON CONFLICT (uid) DO UPDATE SET instances = :instances, sinceMs = :now, attempts = 0,
         state = CASE state WHEN 'failed' THEN 'waiting' WHEN 'left' THEN 'waiting' ELSE state END
       WHERE instances <> :instances`,
      { ':uid': uid, ':study': study, ':instances': instances, ':now': nowMs },
    )
    return this.find(uid)!
  }

  find(uid: string): SeriesRow | undefined {
    const row = this.#database.get('SELECT * FROM series WHERE uid = ?', uid)
    return row ? toSeries(row) : undefined
  }

  /** Those that a state is of, the one that waits longest first. */
  inState(state: SeriesState): SeriesRow[] {
    return this.#database
      .all('SELECT * FROM series WHERE state = ? ORDER BY sinceMs, uid', state)
      .map(toSeries)
  }

  count(): Record<SeriesState, number> {
    const counts = { waiting: 0, ready: 0, done: 0, failed: 0, left: 0 }
    for (const { state, count } of this.#database.all(
      'SELECT state, count(*) AS count FROM series GROUP BY state',
    ))
      counts[state as SeriesState] = Number(count)
    return counts
  }

  /** The series is diagnosed, and its results lie on the disk. */
  setReady(uid: string, positive: boolean, instanceUids: readonly string[]): void {
    this.#transaction(() => {
      this.#database.run('DELETE FROM result WHERE series = ?', uid)
      for (const [position, instanceUid] of instanceUids.entries())
        this.#database.run('INSERT INTO result (instanceUid, series, position) VALUES (?, ?, ?)', [
          instanceUid,
          uid,
          position,
        ])
      this.#set(uid, 'ready', { positive })
    })
  }

  results(uid: string): ResultRow[] {
    return this.#database
      .all('SELECT instanceUid, stored FROM result WHERE series = ? ORDER BY position', uid)
      .map(({ instanceUid, stored }) => ({ instanceUid: String(instanceUid), stored: stored === 1 }))
  }

  setStored(instanceUid: string): void {
    this.#database.run('UPDATE result SET stored = 1 WHERE instanceUid = ?', instanceUid)
  }

  setDone(uid: string): void {
    this.#set(uid, 'done', {})
  }

  /** Tried in vain: it waits anew. Gives how often it was. */
  setTried(uid: string, reason: string, nowMs: number): number {
    this.#database.run('UPDATE series SET attempts = attempts + 1, reason = ?, sinceMs = ? WHERE uid = ?', [
      reason,
      nowMs,
      uid,
    ])
    return this.find(uid)!.attempts
  }

  /** `reason` says why, as a full sentence. */
  setAside(uid: string, state: 'failed' | 'left', reason: string): void {
    this.#set(uid, state, { reason })
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #set(uid: string, state: SeriesState, { positive, reason }: Pick<SeriesRow, 'positive' | 'reason'>): void {
    this.#database.run(
      'UPDATE series SET state = ?, positive = coalesce(?, positive), reason = ? WHERE uid = ?',
      [state, positive === undefined ? null : Number(positive), reason ?? null, uid],
    )
  }

  #transaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
  }
}

function toSeries(row: Record<string, unknown>): SeriesRow {
  const { uid, study, instances, sinceMs, state, attempts, positive, reason } = row
  return {
    uid: String(uid),
    study: String(study),
    instances: Number(instances),
    sinceMs: Number(sinceMs),
    state: state as SeriesState,
    attempts: Number(attempts),
    ...(positive !== null && { positive: positive === 1 }),
    ...(reason !== null && { reason: String(reason) }),
  }
}
