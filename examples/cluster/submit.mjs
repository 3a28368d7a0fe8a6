// node examples/cluster/submit.mjs [--priority high|normal|low] [--options JSON] CASE...
// Sends cases, follows them, and prints a line of JSON for each that is done. Stopped, it can be called again: a case
// that is queued is followed, one that is done is only reported.
import { parseArgs } from 'node:util'
import { follow, jobOf, openQueues, priorities, send } from './queues.mjs'
import { hasResult } from './results.mjs'
import { resultsDirectory } from './settings.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    priority: { type: 'string', default: 'normal' },
    options: { type: 'string', default: '{}' },
  },
})
const { priority } = values
if (!(priority in priorities)) throw new Error(`--priority is ${Object.keys(priorities).join(', ')}`)
const options = JSON.parse(values.options)

const queues = openQueues()
await Promise.all(
  positionals.map(async (path) => {
    const job = await jobOf(path, { priority, options })
    if (!(await hasResult(resultsDirectory, job.key))) await send(queues, job)
    let told = ''
    const onProgress = ({ phase, done, total }) => {
      const now = `${path}: ${phase} ${done} of ${total}`
      if (now !== told) console.error(now)
      told = now
    }
    const outcome = await follow(queues, job, { onProgress })
    if (outcome.error) process.exitCode = 1
    console.log(JSON.stringify(outcome))
  }),
)
await queues.close()
