// node bench/first-slice.mjs '{"engine": "jcs-ct", "file": "x.safetensors", "precision": "bf16", "threads": 2, "size": 512}'
//
// One process that imports an engine, loads a network and runs one slice, as a program that was just started does, and
// prints how long that took and how much memory it needed. Plain JavaScript on the built package: no tool of the
// benchmark's takes part of either.
import { readFileSync } from 'node:fs'

const { engine, file, precision, threads, size } = JSON.parse(process.argv[2])
const data = new Float32Array(3 * size * size).fill(0.5)
const shape = [1, 3, size, size]

const startMs = performance.now()
let importedMs
if (engine === 'jcs-ct') {
  const { loadModel } = await import('jcs-ct')
  importedMs = performance.now()
  const model = await loadModel(file, { device: 'cpu', precision, threads })
  await model.forward({ data, shape })
} else {
  const { InferenceSession, Tensor } = (await import('onnxruntime-node')).default
  importedMs = performance.now()
  const session = await InferenceSession.create(file, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  })
  await session.run({ image: new Tensor('float32', data, shape) })
}
const endMs = performance.now()

// Of this program alone: process.resourceUsage counts what the process was before it became this one.
const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
console.log(
  JSON.stringify({
    importMs: importedMs - startMs,
    loadAndRunMs: endMs - importedMs,
    peakMiB: Number(kibibytes) / 1024,
  }),
)
