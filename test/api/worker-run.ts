import { parentPort } from 'node:worker_threads'
import { classify, createModel } from 'jcs-ct'

/** Worker of workers.test.ts: classifies until it is stopped, and reports each probability. */
async function work() {
  const model = await createModel({ network: 'res2net50-v1b', width: 0.05 }, { device: 'cpu', seed: 3 })
  const data = Uint8Array.from({ length: 64 * 64 }, (_, i) => (i * 37) % 251)
  for (;;) {
    const [result] = await classify(model, { data, width: 64, height: 64 })
    parentPort?.postMessage(result?.probability)
  }
}

work().catch((error) => parentPort?.postMessage(String(error)))
