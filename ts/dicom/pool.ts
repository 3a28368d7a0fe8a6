import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Piscina } from 'piscina'
import { throwIfAborted } from '../base/abort'
import { JcsError, toJcsError } from '../base/errors'
import type { DicomHeader } from './header'
import type { HounsfieldFrame } from './pixels'
import type { FileTask, FrameTask, Outcome } from './worker'

/** Threads that decode, one per processor: shared by all cases of a process, started when needed, gone when idle. */
let pool: Piscina | undefined
let freeThreads = availableParallelism()
/** Tasks for which no thread is free, first come, first served. */
const waiting: (() => void)[] = []

/** The compiled one also where the library runs from its sources: what loads TypeScript does not reach threads. */
const workerFile = join(__dirname, '..', '..', 'dist', 'dicom', 'worker.js')

/** A file that takes longer, or more of JavaScript's heap, was made to. */
const timeLimitMs = 60_000
const heapLimitMb = 1024

function decodingThreads(): Piscina {
  pool ??= new Piscina({
    filename: workerFile,
    minThreads: 0,
    maxThreads: availableParallelism(),
    idleTimeout: 2000,
    resourceLimits: { maxOldGenerationSizeMb: heapLimitMb },
  })
  return pool
}

export function readHeaderInThread(task: FileTask, signal: AbortSignal | undefined): Promise<DicomHeader> {
  return run<DicomHeader>('header', task, signal)
}

export function decodeFrameInThread(
  task: FrameTask,
  signal: AbortSignal | undefined,
): Promise<HounsfieldFrame> {
  return run<HounsfieldFrame>('frame', task, signal)
}

async function run<T>(name: string, task: FileTask, signal: AbortSignal | undefined): Promise<T> {
  await takeThread()
  try {
    throwIfAborted(signal)
    const outcome = await runLimited<T>(name, task, signal)
    if ('value' in outcome) return outcome.value
    throw toJcsError(outcome)
  } finally {
    freeThread()
  }
}

/** Time counts from here, not from when the task was given: another case may have kept the threads busy. */
async function runLimited<T>(
  name: string,
  task: FileTask,
  signal: AbortSignal | undefined,
): Promise<Outcome<T>> {
  const timeLimit = AbortSignal.timeout(timeLimitMs)
  try {
    const ends = signal ? AbortSignal.any([signal, timeLimit]) : timeLimit
    return await decodingThreads().run(task, { name, signal: ends })
  } catch (error) {
    throwIfAborted(signal)
    if (timeLimit.aborted) {
      throw new JcsError('CORRUPT_FILE', `${task.name} cannot be decoded within ${timeLimitMs / 1000} s`)
    }
    if ((error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY') {
      throw new JcsError('INPUT_TOO_LARGE', `${task.name} needs more than ${heapLimitMb} MiB to be read`)
    }
    throw toJcsError(error)
  }
}

async function takeThread(): Promise<void> {
  if (freeThreads > 0) freeThreads--
  else await new Promise<void>((resolve) => waiting.push(resolve))
}

function freeThread(): void {
  const next = waiting.shift()
  if (next) next()
  else freeThreads++
}
