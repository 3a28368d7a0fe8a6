// node examples/cluster/dead-letters.mjs [KEY...]: lists the cases that could not be diagnosed, or sends these again.
import { openQueues, sendAgain } from './queues.mjs'

const queues = openQueues()
const keys = process.argv.slice(2)
for (const key of keys) await sendAgain(queues, key)
if (keys.length === 0) {
  for (const { id, data } of await queues.deadLetters.getWaiting())
    console.log(`${id}  ${data.path}  ${data.attempts} attempts: ${data.reason}`)
}
await queues.close()
