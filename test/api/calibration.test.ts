import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import {
  type ClassificationEvaluation,
  calibrate,
  classify,
  createModel,
  evaluate,
  loadModel,
  metrics,
  train,
} from '../../ts/index'
import { safetensorsMetadata } from './safetensors'
import { classifierSpec, quick, repositoryRoot, segmenterSpec, smallSamples } from './small'
import { writeSamples } from './written-samples'

t.test('the reliability diagram of scores whose meaning is known', async (t) => {
  // Of a hundred samples at each probability as many are infected as it says; then half as many.
  const levels = [0.1, 0.3, 0.5, 0.7, 0.9]
  const probabilities = Float32Array.from(levels.flatMap((p) => Array(100).fill(p)))
  const labelled = (share: number) =>
    Uint8Array.from(levels.flatMap((p) => Array.from({ length: 100 }, (_, i) => Number(i < 100 * p * share))))
  const calibrated = metrics.reliability(probabilities, labelled(1), { bins: 5 })
  t.same(
    calibrated.map(({ low, high, samples, positives }) => [low, high, samples, positives]),
    levels.map((p, i) => [i / 5, (i + 1) / 5, 100, p]),
  )
  t.ok(metrics.classification(probabilities, labelled(1)).ece < 1e-7)
  const { ece } = metrics.classification(probabilities, labelled(0.5))
  t.ok(Math.abs(ece - 0.25) < 1e-6, 'the mean of half of each probability')
  t.equal(metrics.reliability(probabilities, labelled(1)).length, 15)
  t.throws(() => metrics.reliability(probabilities, labelled(1), { bins: 0 }), { code: 'INVALID_ARGUMENT' })
  t.throws(() => metrics.reliability(probabilities, new Uint8Array(3)), { code: 'SHAPE_MISMATCH' })
  t.throws(() => metrics.reliability(Float32Array.of(Number.NaN), new Uint8Array(1)), { code: 'NOT_FINITE' })
})

t.test('evaluate gives it for what it scored', async (t) => {
  await using model = await createModel(classifierSpec)
  const samples = smallSamples(2)
  const { probabilities, reliability, ece } = (await evaluate(model, samples)) as ClassificationEvaluation
  const labels = Uint8Array.from(samples, ({ label }) => label!)
  t.same(reliability, metrics.reliability(probabilities, labels))
  t.equal(ece, metrics.classification(probabilities, labels).ece)
  t.equal(
    reliability.reduce((sum, { samples }) => sum + samples, 0),
    samples.length,
  )
})

t.test('calibrate fits a temperature, which the model has from then on and keeps', async (t) => {
  const { model } = await train({
    task: 'classification',
    spec: classifierSpec,
    data: { train: smallSamples(2) },
    ...quick,
    iterations: 20,
  })
  t.teardown(() => model.dispose())
  // It learned a quarter; a third makes it too sure.
  const samples = smallSamples(3).map((sample, i) => ({ ...sample, label: (i % 3 === 0 ? 1 : 0) as 0 | 1 }))
  const images = samples.map(({ image }) => image)
  const before = await classify(model, images)
  const calibration = await calibrate(model, samples)
  const { temperature, labelled, warnings } = calibration
  t.ok(temperature > 1.1 && temperature < 5)
  t.equal(model.temperature, temperature)
  t.equal(labelled, samples.length)
  t.same(warnings, [])
  const logOdds = before.map(({ probability: p }) => Math.log(p / (1 - p)))
  const likelihood = (at: number) =>
    logOdds.reduce((sum, odds, i) => sum + Math.log1p(Math.exp((samples[i]!.label ? -odds : odds) / at)), 0) /
    logOdds.length
  t.ok(Math.abs(calibration.before.negativeLogLikelihood - likelihood(1)) < 1e-5)
  t.ok(Math.abs(calibration.after.negativeLogLikelihood - likelihood(temperature)) < 1e-5)
  for (const factor of [0.9, 1.1])
    t.ok(likelihood(temperature * factor) >= likelihood(temperature), 'none near is likelier')
  const after = await classify(model, images)
  const expected = logOdds.map((odds) => 1 / (1 + Math.exp(-odds / temperature)))
  t.ok(after.every(({ probability }, i) => Math.abs(probability - expected[i]!) < 1e-5))
  const { ece, probabilities } = (await evaluate(model, samples)) as ClassificationEvaluation
  t.ok(Math.abs(ece - calibration.after.ece) < 1e-9)
  t.same(
    [...probabilities],
    after.map(({ probability }) => probability),
  )
  const again = await calibrate(model, samples)
  t.ok(Math.abs(again.temperature - temperature) < 1e-9 * temperature, 'not on top of the one it has')

  const file = path.join(t.testdir(), 'calibrated.safetensors')
  await model.save(file)
  await using loaded = await loadModel(file)
  t.equal(loaded.temperature, temperature)
  t.same(
    (await classify(loaded, images)).map(({ probability }) => probability),
    after.map(({ probability }) => probability),
  )
  t.equal(
    JSON.parse(safetensorsMetadata(file).jcs!).format,
    4,
    'older versions, which would ignore it, refuse the file',
  )
})

t.test('a temperature is of its weights: training further makes it 1', async (t) => {
  await using model = await createModel(classifierSpec)
  const samples = smallSamples(2)
  await calibrate(model, samples)
  t.not(model.temperature, 1)
  await train({ task: 'classification', model, data: { train: samples }, ...quick })
  t.equal(model.temperature, 1)
})

t.test('calibrate refuses what tells it nothing, and leaves the model as it was', async (t) => {
  await using model = await createModel(classifierSpec)
  await using segmenter = await createModel(segmenterSpec)
  const samples = smallSamples(1)
  await t.rejects(calibrate(segmenter, samples), { code: 'INVALID_ARGUMENT', message: /segmentation/ })
  await t.rejects(
    calibrate(
      model,
      samples.map((sample) => ({ ...sample, label: 1 as const })),
    ),
    {
      code: 'INVALID_ARGUMENT',
      message: /label 0/,
    },
  )
  await t.rejects(calibrate(model, []), { code: 'EMPTY_DATASET' })
  await t.rejects(calibrate(model, samples, { threshold: 1 } as never), { code: 'INVALID_ARGUMENT' })
  await t.rejects(calibrate(model, samples, { signal: AbortSignal.abort() }), { code: 'CANCELLED' })
  t.equal(model.temperature, 1)
  await model.dispose()
  await t.rejects(calibrate(model, samples), { code: 'DISPOSED' })
})

t.test('jcs calibrate', async (t) => {
  const directory = t.testdir()
  const list = await writeSamples(directory, 'label', smallSamples(2), (_, index) => `${index % 2}`)
  const file = path.join(directory, 'model.safetensors')
  await using model = await createModel(classifierSpec)
  await model.save(file)
  const { temperature } = await calibrate(model, list)
  const jcs = path.join(repositoryRoot, 'dist', 'cli', 'main.js')
  const run = (...options: string[]) =>
    promisify(execFile)(process.execPath, [jcs, 'calibrate', list, '-m', file, '-o', file, ...options])
  t.match((await run()).stdout, /^temperature [0-9.]+, fitted to 16 samples\n(?:.|\n)*before +after/)
  await using calibrated = await loadModel(file)
  t.ok(Math.abs(calibrated.temperature - temperature) < 1e-6 * temperature)
  t.match(JSON.parse((await run('--json')).stdout), { file, labelled: 16, before: { ece: Number } })
})
