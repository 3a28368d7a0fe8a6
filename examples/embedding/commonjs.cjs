// node examples/embedding/commonjs.cjs: as CommonJS, beside ES modules the same instance of the library.
const { classify, createModel, generateCase } = require('jcs-ct')

async function main() {
  const model = await createModel({ network: 'res2net50-v1b', width: 0.125 }, { seed: 1 })
  const { slices } = generateCase(1, { slices: 2, size: 64 })
  const results = await classify(
    model,
    slices.map(({ pixels }) => pixels),
  )
  console.log(results.map(({ probability }) => probability.toFixed(6)).join(' '))
  await model.dispose()
}

main()
