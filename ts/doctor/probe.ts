// Runs in a process of its own, so that a crash ends that one: loads and tries what is native, one part after the
// other, and prints a line of JSON about each.
import { randomBytes } from 'node:crypto'
import { classify } from '../classify'
import { devices } from '../devices'
import { loadSharp } from '../images/sharp'
import { createModel, loadModel } from '../model'
import { shippedModels } from '../model/shipped'
import { addonPath, callNativeNow } from '../native'
import type { PreparedFolder, ProbedPart, ProbedResults } from './probed-parts'

async function main(): Promise<void> {
  await tell('addon', () => ({ path: addonPath(), devices: devices() }))
  await tell(
    'prepared weights',
    () => JSON.parse(callNativeNow((native) => native.preparedFolder())) as PreparedFolder,
  )
  await tell('network', async () => {
    await using model = await createModel(
      { network: 'res2net50-v1b', width: 0.125 },
      { device: 'cpu', seed: 1 },
    )
    const pixels = { data: new Uint8Array(randomBytes(64 * 64)), width: 64, height: 64 }
    const [result] = await classify(model, pixels)
    return { precision: model.precision, probability: result!.probability }
  })
  await tell('pictures', async () => {
    const create = { width: 8, height: 8, channels: 3 as const, background: 'gray' }
    await loadSharp()({ create }).png().toBuffer()
    return { library: `sharp ${loadSharp().versions.sharp}` }
  })
  await tell('models', async () => {
    const found = []
    for (const name of shippedModels) {
      await using model = await loadModel(name, { device: 'cpu' })
      found.push({ name, network: model.spec.network })
    }
    return found
  })
}

async function tell<Part extends ProbedPart>(
  part: Part,
  find: () => ProbedResults[Part] | Promise<ProbedResults[Part]>,
): Promise<void> {
  const outcome = await Promise.resolve()
    .then(find)
    .then(
      (result) => ({ part, result }),
      ({ code, message }) => ({ part, error: { code, message } }),
    )
  process.stdout.write(`${JSON.stringify(outcome)}\n`)
}

main()
