import { join } from 'node:path'
import type { Piscina } from 'piscina'
import { throwIfAborted, untilAborted } from '../base/abort'
import { availableThreads } from '../base/available-threads'
import { JcsError, toJcsError } from '../base/errors'
import { packageRoot } from '../base/package-root'
import type { Outcome } from './outcome'

/** Threads that decode, one per processor: shared by all cases of a process, started when needed, gone when idle. */
let pool: Piscina | undefined
/** Counted when the first task comes: it reads the limits of the container. */
let freeThreads: number | undefined
/** Tasks for which no thread is free, first come, first served. */
const waiting: (() => void)[] = []

/** The compiled one also where the library runs from its sources: what loads TypeScript does not reach threads. */
const workerFile = join(packageRoot, 'dist', 'images', 'worker.js')

/** Starting a thread and loading its codecs takes as long as decoding fifty slices. */
const idleMs = 30_000

/** A file that takes longer, or more of JavaScript's heap, was made to. */
const timeLimitMs = 60_000
const heapLimitMiB = 1024

function decodingThreads(): Piscina {
  if (pool) return pool
  const piscina = require('piscina') as typeof import('piscina') // not before it is needed
  pool = new piscina.Piscina({
    filename: workerFile,
    minThreads: 0,
    maxThreads: availableThreads(),
    idleTimeout: idleMs,
    resourceLimits: { maxOldGenerationSizeMb: heapLimitMiB },
  })
  // An answer that comes just when its thread is ended for taking too long is an 'error' event, and nobody's concern.
  pool.on('error', () => {})
  return pool
}

/** What a task is told. */
export interface Task {
  /** What messages call the file. */
  name: string
}

/**
 * Runs function `task` of `images/worker.ts` on a file in a thread. What it takes and gives is cloned, but for what it
 * hands over. A task that is underway when `signal` aborts is left to its end, which is near: ending the thread would
 * cost more.
 *
 * @throws JcsError CANCELLED; INPUT_TOO_LARGE or CORRUPT_FILE for a file that takes more memory or time than files do;
 * and what the task throws
 */
export function runInThread<T>(task: string, file: Task, signal: AbortSignal | undefined): Promise<T> {
  const work = runInTurn<T>(task, file, signal)
  work.catch(() => {}) // it may fail when nobody waits for it any more
  return untilAborted(work, signal)
}

async function runInTurn<T>(task: string, file: Task, signal: AbortSignal | undefined): Promise<T> {
  await takeThread()
  try {
    throwIfAborted(signal)
    const outcome = await runLimited<T>(task, file)
    if ('value' in outcome) return outcome.value
    throw toJcsError(outcome)
  } finally {
    freeThread()
  }
}

/**
 * Time counts from here, not from when the task was given: another case may have kept the threads busy. The timer also
 * keeps the process alive, which a thread that is only starting does not.
 */
async function runLimited<T>(task: string, file: Task): Promise<Outcome<T>> {
  const timeLimit = new AbortController()
  const timer = setTimeout(() => timeLimit.abort(), timeLimitMs)
  try {
    return await decodingThreads().run(file, { name: task, signal: timeLimit.signal })
  } catch (error) {
    if (timeLimit.signal.aborted) {
      throw new JcsError('CORRUPT_FILE', `${file.name} cannot be decoded within ${timeLimitMs / 1000} s`)
    }
    if ((error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY') {
      throw new JcsError('INPUT_TOO_LARGE', `${file.name} needs more than ${heapLimitMiB} MiB to be read`)
    }
    throw toJcsError(error)
  } finally {
    clearTimeout(timer)
  }
}

async function takeThread(): Promise<void> {
  freeThreads ??= availableThreads()
  if (freeThreads > 0) freeThreads--
  else await new Promise<void>((resolve) => waiting.push(resolve))
}

function freeThread(): void {
  const next = waiting.shift()
  if (next) next()
  else freeThreads!++
}
