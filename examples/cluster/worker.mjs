// node examples/cluster/worker.mjs: takes cases from the queue until SIGTERM. As many on as many machines as wanted.
import { UnrecoverableError, Worker } from 'bullmq'
import { createService, diagnosisDocument, diagnosisReport, JcsError, openCase } from 'jcs-ct'
import { hashCase } from './hash.mjs'
import { buryFailed, openQueues } from './queues.mjs'
import { hasResult, publishResult, removeAbandoned } from './results.mjs'
import { connection, models, queueName, resultsDirectory } from './settings.mjs'

const concurrency = Number(process.env.CONCURRENCY ?? 2)
/** A worker that was killed, or cut off, keeps its cases from others for this long. */
const lockMs = Number(process.env.LOCK_MS ?? 30_000)
/** A case whose worker died so often may be what kills them. */
const maxStalledCount = Number(process.env.MAX_STALLED ?? 3)

/** Of a case as it is: trying again would end in the same way. */
const finalCodes = new Set([
  'CASE_TOO_SMALL',
  'CORRUPT_FILE',
  'EMPTY_DATASET',
  'INCOMPLETE_SERIES',
  'INPUT_TOO_LARGE',
  'INPUT_TOO_SMALL',
  'INVALID_ARGUMENT',
  'INVALID_TYPE',
  'NOT_FINITE',
  'SHAPE_MISMATCH',
  'UNSUPPORTED_FORMAT',
])

/** Messages may name files, and files patients; they are in the queue alone. */
const codeOf = ({ code, name }) => code ?? name

/** A line of JSON for each thing that happens; keys name cases, never files. */
const log = (event, fields = {}) =>
  console.log(JSON.stringify({ time: new Date().toISOString(), event, ...fields }))

const service = await createService({ ...models, maxActiveCases: concurrency })

async function diagnoseCase(job, signal) {
  const { path, content, options } = job.data
  if ((await hashCase(path)) !== content)
    throw new UnrecoverableError('the files are not those that were sent: send the case again')
  const scan = openCase(path)
  try {
    const run = service.diagnose(scan, { ...options, signal })
    let reportedMs = 0
    for await (const { phase, done, total } of run) {
      if (done < total && Date.now() - reportedMs < 500) continue
      reportedMs = Date.now()
      // Progress is worth no attempt: while Redis is away there is none.
      job.updateProgress({ phase, done, total }).catch(() => {})
    }
    const diagnosis = await run
    return await publishResult(resultsDirectory, job.id, {
      'diagnosis.json': JSON.stringify(diagnosisDocument(diagnosis, scan.names)),
      'report.html': await diagnosisReport(diagnosis, scan),
    })
  } finally {
    scan.dispose()
  }
}

/** What is returned stays in Redis: whether this attempt made the result, not what it says. */
async function work(job, _token, signal) {
  log('started', { key: job.id, attempt: job.attemptsStarted })
  if (await hasResult(resultsDirectory, job.id)) return { published: false }
  try {
    return { published: await diagnoseCase(job, signal) }
  } catch (error) {
    if (error instanceof JcsError && finalCodes.has(error.code))
      throw Object.assign(new UnrecoverableError(`${error.code}: ${error.message}`), { code: error.code })
    throw error
  }
}

await removeAbandoned(resultsDirectory)
const queues = openQueues()
const bury = () => buryFailed(queues).catch((error) => log('error', { code: codeOf(error) }))

const worker = new Worker(queueName, work, {
  connection,
  concurrency,
  lockDuration: lockMs,
  stalledInterval: lockMs,
  maxStalledCount,
})
worker.on('error', (error) => log('error', { code: codeOf(error) }))
worker.on('completed', (job, { published }) => log('completed', { key: job.id, published }))
worker.on('failed', (job, error) => {
  log('failed', { key: job?.id, attempt: job?.attemptsMade, code: codeOf(error) })
  void bury()
})
worker.on('stalled', (key) => log('stalled', { key }))
// A case whose lock was lost is another worker's by now.
worker.on('lockRenewalFailed', (keys) => {
  for (const key of keys) worker.cancelJob(key, 'the lock was lost')
})
await worker.waitUntilReady()
await bury()
log('ready', { queue: queueName, concurrency })

process.once('SIGTERM', async () => {
  log('closing')
  await worker.close()
  await service.close()
  await queues.close()
  log('closed')
})
