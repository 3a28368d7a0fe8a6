import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import {
  type ClassificationEvaluation,
  classify,
  createModel,
  type ExplanationMetrics,
  evaluate,
  loadModel,
  metrics,
  train,
} from '../../ts/index'
import { generateDataset, type PhantomSample } from '../../ts/phantom'
import { classifierSpec, quick, segmenterSpec, smallSamples } from './small'

const size = 64
const names = ['pointingGame', 'massInLesions', 'pointingGameAtRandom', 'massInLesionsAtRandom'] as const
const samples = generateDataset(5, { cases: 4, size })
const maskOf = (part: PhantomSample['mask']) => part.data as Uint8Array

async function evaluated(...args: Parameters<typeof evaluate>): Promise<ClassificationEvaluation> {
  const result = await evaluate(...args)
  if (result.task !== 'classification') throw new Error('a classifier')
  return result
}

t.test('a map is scored by where it points and where it lies', async (t) => {
  const lesions = Uint8Array.of(0, 1, 1, 0, 0, 0, 0, 0)
  const lungs = Uint8Array.of(1, 1, 1, 1, 0, 0, 0, 0)
  const scores = metrics.explanation(Float32Array.of(0, 0.5, 0, 0, 0, 0, 0, 1), lesions, 4, 2, { lungs })
  t.same(scores, {
    pointingGame: 0, // 15 pixels of 512 are none of four
    massInLesions: 0.5 / 1.5,
    pointingGameAtRandom: 0.5,
    massInLesionsAtRandom: 0.5,
  })
  const without = metrics.explanation(Float32Array.of(0, 1, 0, 0, 0, 0, 0, 1), lesions, 4, 2)
  t.same(without, {
    pointingGame: 0.5,
    massInLesions: 0.5,
    pointingGameAtRandom: Number.NaN,
    massInLesionsAtRandom: Number.NaN,
  })
})

t.test('what cannot be scored is refused', (t) => {
  const map = new Float32Array(4)
  const lesions = Uint8Array.of(0, 1, 0, 0)
  const refusals: [() => unknown, string][] = [
    [() => metrics.explanation(map, lesions, 3, 2), 'SHAPE_MISMATCH'],
    [() => metrics.explanation(map, lesions, 2, 2, { lungs: new Uint8Array(3) }), 'SHAPE_MISMATCH'],
    [() => metrics.explanation(map, new Uint8Array(4), 2, 2), 'INVALID_ARGUMENT'],
    [() => metrics.explanation(Float32Array.of(0, -1, 0, 0), lesions, 2, 2), 'INVALID_ARGUMENT'],
    [() => metrics.explanation(Float32Array.of(0, Number.NaN, 0, 0), lesions, 2, 2), 'NOT_FINITE'],
    [() => metrics.explanation(map, lesions, 0, 2), 'INVALID_ARGUMENT'],
    [() => metrics.explanation([0] as never, lesions, 2, 2), 'INVALID_TYPE'],
  ]
  for (const [call, code] of refusals) t.throws(call, { code })
  t.end()
})

t.test('evaluate scores the maps of the slices with lesions', async (t) => {
  await using model = await createModel(
    { ...classifierSpec, outputStride: 8 },
    { seed: 3, precision: 'fp32' },
  )
  const { explanation } = await evaluated(model, samples)
  const withLesions = samples.filter(({ mask }) => maskOf(mask).some((value) => value !== 0))
  t.ok(withLesions.length > 3)
  t.ok(withLesions.length < samples.length)
  t.equal(explanation!.slices, withLesions.length)

  const maps = await classify(
    model,
    withLesions.map(({ image }) => image),
    { explain: true },
  )
  const each = maps.map(({ activationMap }, i): ExplanationMetrics => {
    const { mask, lung } = withLesions[i]!
    return metrics.explanation(activationMap!.data, maskOf(mask), size, size, { lungs: maskOf(lung) })
  })
  for (const name of names) {
    const mean = each.reduce((sum, scores) => sum + scores[name], 0) / each.length
    t.ok(Math.abs(explanation![name] - mean) < 1e-9, `${name} is the mean of those of classify`)
  }

  const folder = join(t.testdir({}), 'slices')
  mkdirSync(folder)
  const raw = { raw: { width: size, height: size, channels: 1 } } as const
  const rows = await Promise.all(
    samples.map(async ({ image, label, mask, lung }, i) => {
      const png = async (name: string, data: Uint8Array, scale: number) =>
        sharp(
          Uint8Array.from(data, (value) => value * scale),
          raw,
        )
          .toColourspace('b-w')
          .png()
          .toFile(join(folder, name))
      await png(`${i}.png`, image.data as Uint8Array, 1)
      await png(`mask-${i}.png`, maskOf(mask), 255)
      await png(`lung-${i}.png`, maskOf(lung), 255)
      return `${i}.png,${label},mask-${i}.png,lung-${i}.png`
    }),
  )
  writeFileSync(join(folder, 'data.csv'), ['image,label,mask,lung', ...rows].join('\n'))
  t.same((await evaluated(model, join(folder, 'data.csv'))).explanation, explanation, 'from files as well')

  const noLungs = samples.map(({ lung: _, ...sample }) => sample)
  const unknown = (await evaluated(model, noLungs)).explanation!
  t.equal(unknown.pointingGame, explanation!.pointingGame)
  t.equal(unknown.massInLesions, explanation!.massInLesions)
  t.same([unknown.pointingGameAtRandom, unknown.massInLesionsAtRandom], [Number.NaN, Number.NaN])

  const noMasks = noLungs.map(({ mask: _, ...sample }) => sample)
  t.equal((await evaluated(model, noMasks)).explanation, undefined)
})

t.test('a lung mask of another size is a bad sample', async (t) => {
  await using model = await createModel(classifierSpec)
  const [sample] = samples
  const lung = { data: new Uint8Array(9), width: 3, height: 3 }
  await t.rejects(evaluate(model, [{ ...sample!, lung }]), {
    code: 'BAD_SAMPLE',
    message: /the lung .* 3 x 3/,
  })
})

t.test('an output stride is part of the network and changes no parameter', async (t) => {
  await using coarse = await createModel(classifierSpec, { seed: 1, precision: 'fp32' })
  await using fine = await createModel({ ...classifierSpec, outputStride: 8 }, { seed: 1, precision: 'fp32' })
  t.equal(coarse.spec.outputStride, 32)
  t.same(fine.parameters(), coarse.parameters())
  // Enlarged linearly, a row of the map bends once for each of its features: seven of 224 pixels, or 28.
  const mostBends = async (model: typeof fine) => {
    const [result] = await classify(model, samples[0]!.image, { explain: true })
    const { data } = result!.activationMap!
    const bendsOfRow = (y: number) => {
      const row = data.subarray(y * size, (y + 1) * size)
      return row.filter((value, x) => Math.abs(row[x - 1]! - 2 * value + row[x + 1]!) > 1e-4).length
    }
    return Math.max(...Array.from({ length: size }, (_, y) => bendsOfRow(y)))
  }
  const atMost = 2 * 7 // each between two pixels
  t.ok((await mostBends(coarse)) <= atMost)
  t.ok((await mostBends(fine)) > atMost)

  const path = join(t.testdir({}), 'fine.safetensors')
  await fine.save(path)
  await using loaded = await loadModel(path)
  t.equal(loaded.spec.outputStride, 8)
  await t.rejects(loadModel(path, { spec: classifierSpec }), { code: 'WRONG_VARIANT' })
  for (const [spec, code] of [
    [{ ...classifierSpec, outputStride: 4 }, 'INVALID_ARGUMENT'],
    [{ ...classifierSpec, outputStride: 'fine' }, 'INVALID_TYPE'],
    [{ ...segmenterSpec, outputStride: 16 }, 'INVALID_ARGUMENT'],
  ] as const)
    await t.rejects(createModel(spec as never), { code, message: /outputStride/ })
})

t.test('a joint network takes the stride of its classifier over, and no other', async (t) => {
  await using classifier = await createModel({ ...classifierSpec, outputStride: 16 }, { seed: 21 })
  const settings = {
    ...quick,
    task: 'segmentation',
    classifier,
    data: { train: smallSamples(1) },
  } as const
  const spec = { network: 'jcs-joint', width: 0.125 } as const
  const { model } = await train({ ...settings, spec })
  t.equal(model.spec.outputStride, 16)
  await model.dispose()
  await t.rejects(train({ ...settings, spec: { ...spec, outputStride: 32 } }), {
    code: 'WRONG_VARIANT',
    message: /outputStride/,
  })
})
