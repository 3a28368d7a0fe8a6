import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { hashCase, hashJson } from './hash.mjs'
import { hasResult } from './results.mjs'
import { connection, protocol, queueName, resultsDirectory } from './settings.mjs'

/** BullMQ takes lower numbers first. */
export const priorities = { high: 1, normal: 2, low: 3 }

/** Cases to be diagnosed, and dead letters: those that could not be. */
export function openQueues() {
  const cases = new Queue(queueName, { connection })
  const deadLetters = new Queue(`${queueName}-dead`, { connection })
  // A Redis that is away is no end: commands wait until it is back.
  for (const queue of [cases, deadLetters]) queue.on('error', () => {})
  return {
    cases,
    deadLetters,
    async close() {
      await cases.close()
      await deadLetters.close()
    },
  }
}

/**
 * A case as a job. The same files, options, models and library have the same key: as the id of a job it is queued once,
 * as the name of a result it is kept once.
 */
export async function jobOf(path, { priority = 'normal', options = {} } = {}) {
  const content = await hashCase(path)
  const key = hashJson([protocol, content, options])
  return { key, data: { path: resolve(path), content, options, priority } }
}

/** Answers once Redis has it: from then on it outlives this process, and Redis'. */
export function send({ cases }, { key, data }) {
  return cases.add('diagnose', data, {
    jobId: key,
    priority: priorities[data.priority],
    attempts: 5,
    backoff: { type: 'exponential', delay: 1000, jitter: 0.5 },
    removeOnComplete: { age: 86_400 },
  })
}

/** Until the case has a result or is a dead letter. Polls: an event can be missed while Redis is away. */
export async function follow(queues, job, { onProgress, intervalMs = 500 } = {}) {
  const { key, data } = job
  const { path } = data
  for (;;) {
    if (await hasResult(resultsDirectory, key)) return { key, path, result: join(resultsDirectory, key) }
    const queued = await queues.cases.getJob(key)
    if (queued?.progress?.phase) onProgress?.(queued.progress)
    const letter = queued ? undefined : await queues.deadLetters.getJob(key)
    if (letter) return { key, path, error: letter.data.reason, attempts: letter.data.attempts }
    // Nowhere: done between two looks, or Redis lost its disk.
    if (!queued) await send(queues, job)
    // Done, and its result was deleted since: it is made again.
    else if ((await queued.isCompleted()) && !(await hasResult(resultsDirectory, key))) await queued.remove()
    await sleep(intervalMs)
  }
}

/**
 * Moves what has failed for good to the dead letters, with the reason. Killed in between it is done again: a failed job
 * stays where it is until it is among them.
 */
export async function buryFailed({ cases, deadLetters }) {
  for (const job of await cases.getFailed()) {
    if (!job) continue // Another worker has just moved it.
    const { failedReason: reason, attemptsMade: attempts } = job
    await deadLetters.remove(job.id)
    await deadLetters.add(job.name, { ...job.data, reason, attempts }, { jobId: job.id })
    await job.remove()
  }
}

export async function sendAgain(queues, key) {
  const letter = await queues.deadLetters.getJob(key)
  if (!letter) throw new Error(`there is no dead letter ${key}`)
  const { path, content, options, priority } = letter.data
  await send(queues, { key, data: { path, content, options, priority } })
  await letter.remove()
}
