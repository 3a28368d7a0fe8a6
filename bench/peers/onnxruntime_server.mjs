// node bench/peers/onnxruntime_server.mjs '{"task": "classification", "size": 224, "threads": 2, "files": {"1": "x.onnx", "2": …}}'
//
// What one would write on onnxruntime-node: Fastify, uploads, sharp, and batches of what waits while the network is busy,
// of sizes that there are files for. Prints its address. Answers as `jcs serve` does, as far as ONNX Runtime tells it:
// a probability, or a mask as PNG.
import multipart from '@fastify/multipart'
import Fastify from 'fastify'
import ort from 'onnxruntime-node'
import sharp from 'sharp'

const { task, size, threads, files } = JSON.parse(process.argv[2])
const mean = [0.485, 0.456, 0.406]
const deviation = [0.229, 0.224, 0.225]
const plane = size * size
const output = task === 'classification' ? 'logits' : 'side1'

const sessions = new Map()
for (const [batch, file] of Object.entries(files)) {
  const session = await ort.InferenceSession.create(file, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    // Threads that spin would take the cores from decoding.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  })
  sessions.set(Number(batch), session)
}
const sizes = [...sessions.keys()].sort((a, b) => b - a)

async function decode(bytes) {
  const { data, info } = await sharp(bytes)
    .resize(size, size, { fit: 'fill' })
    .greyscale()
    .raw()
    .toBuffer({ resolveWithObject: true })
  const tensor = new Float32Array(3 * plane)
  for (let channel = 0; channel < 3; channel++) {
    const scale = 1 / (255 * deviation[channel])
    const offset = mean[channel] / deviation[channel]
    for (let i = 0; i < plane; i++) tensor[channel * plane + i] = data[i * info.channels] * scale - offset
  }
  return tensor
}

const waiting = []
let isBusy = false

const infer = (tensor) =>
  new Promise((resolve, reject) => {
    waiting.push({ tensor, resolve, reject })
    if (!isBusy) runBatches()
  })

async function runBatches() {
  isBusy = true
  while (waiting.length > 0) {
    const batch = waiting.splice(
      0,
      sizes.find((each) => each <= waiting.length),
    )
    const data = new Float32Array(batch.length * 3 * plane)
    for (const [i, { tensor }] of batch.entries()) data.set(tensor, i * 3 * plane)
    try {
      const image = new ort.Tensor('float32', data, [batch.length, 3, size, size])
      const { [output]: result } = await sessions.get(batch.length).run({ image }, [output])
      const values = result.data
      const each = values.length / batch.length
      for (const [i, { resolve }] of batch.entries()) resolve(values.slice(i * each, (i + 1) * each))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
  isBusy = false
}

async function answerOf(values) {
  if (task === 'classification') {
    const probability = 1 / (1 + Math.exp(values[0] - values[1]))
    return { probability, positive: probability > 0.5 }
  }
  const bits = new Uint8Array(plane)
  for (let i = 0; i < plane; i++) bits[i] = values[i] > 0.5 ? 255 : 0
  const png = await sharp(bits, { raw: { width: size, height: size, channels: 1 } })
    .png()
    .toBuffer()
  return { mask: png.toString('base64') }
}

const app = Fastify()
await app.register(multipart)
app.post('/v1/slice', async (request) => {
  const results = []
  for await (const part of request.parts())
    if (part.type === 'file') results.push(await answerOf(await infer(await decode(await part.toBuffer()))))
  return { results }
})
console.log(await app.listen({ port: 0, host: '127.0.0.1' }))
