// What submitters and workers have to agree on, from the environment.
import { createRequire } from 'node:module'
import { hashFile, hashJson } from './hash.mjs'

const require = createRequire(import.meta.url)

export const models = { segmenter: process.env.SEGMENTER ?? 'lesions', lungs: process.env.LUNGS ?? 'lungs' }
if (process.env.CLASSIFIER) models.classifier = process.env.CLASSIFIER

/** A directory that every machine sees: results/<key>/diagnosis.json and report.html. */
export const resultsDirectory = process.env.RESULTS ?? 'results'

export const connection = {
  url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379',
  // Commands wait for a Redis that is away, however long.
  maxRetriesPerRequest: null,
  retryStrategy: (attempt) => Math.min(100 * attempt, 2000),
}

/** What decides a result beside the case: the library, and models by their content, or as the shipped ones' version. */
const shipped = ['lesions', 'lungs']
const identityOf = async (model) =>
  shipped.includes(model) ? `${model} ${require('jcs-ct-models/package.json').version}` : hashFile(model)
export const protocol = hashJson([
  require('jcs-ct/package.json').version,
  await Promise.all(Object.entries(models).map(async ([role, model]) => [role, await identityOf(model)])),
])

/**
 * Queues of this protocol alone: where models or the library are replaced machine by machine, old workers go on with
 * what was sent for them, and new ones never take it.
 */
export const queueName = `diagnoses-${protocol.slice(0, 12)}`
