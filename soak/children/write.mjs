// node write.mjs WHAT DIRECTORY INPUTS: writes something below the directory; what INPUTS has was made by inputs.mjs.
// Prints `done`, or the code of the error.
import path from 'node:path'
import { createModel, crossValidate, generateCase, loadModel, train } from '../../dist/index.js'

const [what, directory, inputs] = process.argv.slice(2)

const samples = () =>
  [1, 2].flatMap((seed) =>
    generateCase(seed, { infected: true, slices: 4, size: 64 }).slices.map(
      ({ pixels, lesionMask, infected }) => ({
        image: pixels,
        label: Number(infected),
        mask: { data: lesionMask, width: 64, height: 64 },
        patient: String(seed),
      }),
    ),
  )
const training = {
  task: 'segmentation',
  spec: { network: 'unet', width: 0.05 },
  device: 'cpu',
  recipe: 'scratch',
  batchSize: 4,
  inputSize: 64,
  seed: 3,
}

const kinds = {
  async model() {
    await withModel(createModel({ network: 'res2net50-v1b', width: 0.05 }, { seed: 1 }), (model) =>
      model.save(path.join(directory, 'model.safetensors')),
    )
  },
  async onnx() {
    await withModel(loadModel(path.join(inputs, 'classifier.safetensors')), (model) =>
      model.exportOnnx(path.join(directory, 'model.onnx'), { batch: 1, height: 64, width: 64 }),
    )
  },
  async training() {
    const { model } = await train({
      ...training,
      data: { train: samples() },
      iterations: 2,
      checkpoint: { directory, everyIterations: 1 },
    })
    await model.dispose()
  },
  async 'cross-validation'() {
    const { seed: _, ...settings } = training
    await crossValidate({ ...settings, data: samples(), folds: 2, iterations: 1, directory })
  },
}

/** Node 20 has no `using` in plain JavaScript. */
async function withModel(created, use) {
  const model = await created
  try {
    await use(model)
  } finally {
    await model.dispose()
  }
}

try {
  await kinds[what]()
  console.log('done')
} catch (error) {
  console.log(error.code ?? String(error))
  process.exitCode = 1
}
