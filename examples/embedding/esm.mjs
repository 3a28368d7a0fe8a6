// node examples/embedding/esm.mjs: as an ES module.
import { classify, createModel, generateCase } from 'jcs-ct'

const model = await createModel({ network: 'res2net50-v1b', width: 0.125 }, { seed: 1 })
const { slices } = generateCase(1, { slices: 2, size: 64 })
const results = await classify(
  model,
  slices.map(({ pixels }) => pixels),
)
console.log(results.map(({ probability }) => probability.toFixed(6)).join(' '))
await model.dispose()
