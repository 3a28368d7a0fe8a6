import { channel } from 'node:diagnostics_channel'
import type { Observer } from './observer'

const requests = channel('jcs-ct:service:request')
const batches = channel('jcs-ct:service:batch')
const models = channel('jcs-ct:service:model')

/** Publishes what happens to whoever in the process subscribes to it; `service` says in which. */
export function channelObserver(service: object): Observer {
  return {
    onRequest: (event) => requests.hasSubscribers && requests.publish({ service, ...event }),
    onBatch: (event) => batches.hasSubscribers && batches.publish({ service, ...event }),
    onModel: (event) => models.hasSubscribers && models.publish({ service, ...event }),
  }
}
