import { join } from 'node:path'
import { InferenceSession, Tensor as OnnxTensor } from 'onnxruntime-node'
import t from 'tap'
import { createModel, type ModelSpec } from '../../ts/index'
import { relativeError } from './compare'
import { NumpyRandom } from './numpy-random'

const width = 0.125
const specs: ModelSpec[] = (['paper', 'authors'] as const).flatMap((variant): ModelSpec[] => [
  { network: 'res2net50-v1b', variant, width },
  { network: 'res2net101-v1b', variant, width },
  { network: 'jcs-segmentation', variant, width },
  { network: 'jcs-joint', variant, width, trunk: 'res2net50-v1b' },
])
for (const network of ['unet', 'dss', 'poolnet', 'egnet'] as const) specs.push({ network, width })
specs.push({ network: 'res2net50-v1b', width, outputStride: 8 })
specs.push(
  { network: 'jcs-segmentation', width, efm: false },
  { network: 'jcs-segmentation', width, aff: false },
)

for (const spec of specs) {
  t.test(`ONNX Runtime computes the same: ${JSON.stringify(spec)}`, async (t) => {
    await using model = await createModel(spec, { precision: 'fp32', seed: 7 })
    const random = new NumpyRandom(11)
    const shape = [2, 3, 67, 75]
    const data = Float32Array.from({ length: 2 * 3 * 67 * 75 }, () => random.normal())
    const expected = await model.forward({ data, shape })
    const path = join(t.testdir(), 'network.onnx')
    await model.exportOnnx(path, { batch: 'dynamic', height: 67, width: 75 })
    const session = await InferenceSession.create(path)
    t.same([...session.outputNames].sort(), Object.keys(expected).sort(), 'the same output names')
    const outputs = await session.run({ [session.inputNames[0]!]: new OnnxTensor('float32', data, shape) })
    for (const [name, tensor] of Object.entries(expected)) {
      const other = outputs[name]!
      t.same(other.dims, tensor.shape, `${name}: shape`)
      const error = relativeError(other.data as Float32Array, tensor.data)
      t.ok(error <= 1e-4, `${name}: relative error ${error}`)
    }
    await session.release()
  })
}
