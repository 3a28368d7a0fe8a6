import { monitorEventLoopDelay } from 'node:perf_hooks'
import t from 'tap'
import { createModel, train } from '../../ts/index'
import { quick, segmenterSpec, smallSamples } from './small'

t.test('the event loop stays free while a network is trained', async (t) => {
  const data = { train: smallSamples() }
  await using model = await createModel(segmenterSpec)
  await train({ ...quick, task: 'segmentation', model, data })
  const monitor = monitorEventLoopDelay({ resolution: 10 })
  monitor.enable()
  const startMs = performance.now()
  await train({ ...quick, iterations: 40, inputSize: 128, task: 'segmentation', model, data })
  const durationMs = performance.now() - startMs
  monitor.disable()
  // A loop that were blocked would be delayed by as long as the run takes; the bound leaves room for a busy machine.
  t.ok(
    monitor.percentile(90) / 1e6 < 100,
    `90 % of delays below ${(monitor.percentile(90) / 1e6).toFixed(1)} ms`,
  )
  t.ok(
    monitor.max / 1e6 < Math.max(500, durationMs / 4),
    `longest ${(monitor.max / 1e6).toFixed(1)} of ${durationMs.toFixed(0)} ms`,
  )
})
