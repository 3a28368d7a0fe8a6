import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { classify, createModel, diagnose, diagnosisReport, openCase, segment } from '../../ts/index'
import { nativeOf } from '../../ts/model'
import { addon, callNative } from '../../ts/native'
import { decodeImage } from './decoded-images'
import { encodeTiff } from './encoded-images'
import { classifierSpec, segmenterSpec, smallSlices } from './small'

const positive = { sliceThreshold: 0, classificationThreshold: 0 }

/** Gives each slice once, and says how many were taken. */
function counted(slices = smallSlices(5)) {
  const state = { taken: 0 }
  const images = (async function* () {
    for (const slice of slices) {
      state.taken++
      yield slice
    }
  })()
  return { images, state }
}

t.test('a case is decoded once, whatever is done with it', async (t) => {
  await using classifier = await createModel(classifierSpec, { precision: 'fp32' })
  await using segmenter = await createModel(segmenterSpec, { precision: 'fp32' })
  const { images, state } = counted()
  using scan = openCase(images)
  t.equal(scan.total, undefined, 'an iterable has no length before its end')
  const [first, second] = await Promise.all([classify(classifier, scan), classify(classifier, scan)])
  t.same(first, second, 'two runs at once')
  t.equal(scan.total, 5)
  const diagnosis = await diagnose({ classifier, segmenter }, scan, positive)
  t.same(
    diagnosis.slices.map(({ classification }) => classification?.probability),
    first.map(({ probability }) => probability),
  )
  const segmentations = await segment(segmenter, scan)
  t.same(
    diagnosis.slices.map(({ segmentation }) => segmentation!.mask),
    segmentations.map(({ mask }) => mask),
  )
  t.match(await diagnosisReport(diagnosis, scan), /slice 5/)
  t.equal(state.taken, 5)
  t.same(await scan.image(2), await decodeImage(smallSlices(5)[2]!))
  for (const index of [5, -1, 0.5]) await t.rejects(scan.image(index), { code: 'INVALID_ARGUMENT' })
})

t.test('names, and options that are given once', async (t) => {
  const directory = t.testdir()
  const raw = { raw: { width: 40, height: 40, channels: 1 as const } }
  for (const name of ['b10.png', 'b9.png'])
    await sharp(new Uint8Array(1600).fill(name.length), raw).png().toFile(join(directory, name))
  using scan = openCase(directory)
  await scan.image(1)
  t.same(scan.names, ['b9.png', 'b10.png'], 'without their path')
  t.equal(scan.total, 2)

  const page = { data: new Uint8Array(1600), width: 40, height: 40, bitsPerSample: 8 }
  writeFileSync(join(directory, 'pages.tif'), encodeTiff([page, page]))
  using pages = openCase(join(directory, 'pages.tif'))
  await pages.image(1)
  t.same(pages.names, ['pages.tif, page 1', 'pages.tif, page 2'])

  // Without its window such a slice cannot be read: the report has to know it from the case.
  await using classifier = await createModel(classifierSpec)
  await using segmenter = await createModel(segmenterSpec)
  const hounsfield = { data: new Int16Array(1600).fill(-700), width: 40, height: 40 }
  using windowed = openCase([hounsfield], { window: { center: -600, width: 1500 } })
  const diagnosis = await diagnose({ classifier, segmenter }, windowed, positive)
  t.match(await diagnosisReport(diagnosis, windowed), /Positive/)
  t.same((await windowed.image(0)).window, { center: -600, width: 1500 })
  await t.rejects(classify(classifier, windowed, { maxPixels: 9 }), {
    code: 'INVALID_ARGUMENT',
    message: /openCase/,
  })
  t.throws(() => openCase([hounsfield], { windw: 1 } as never), { code: 'INVALID_ARGUMENT' })
  t.throws(() => openCase(7 as never), { code: 'INVALID_TYPE' })
})

t.test('a run that is cancelled or fails leaves the case to the others', async (t) => {
  await using classifier = await createModel(classifierSpec)
  const { images, state } = counted(smallSlices(40))
  using scan = openCase(images)
  const controller = new AbortController()
  const run = classify(classifier, scan, {
    batchSize: 2,
    signal: controller.signal,
    onProgress: ({ phase }) => phase === 'classify' && controller.abort(),
  })
  await t.rejects(run, { code: 'CANCELLED' })
  t.ok(state.taken < 40, 'it was cancelled midway')
  t.equal((await classify(classifier, scan)).length, 40)
  t.equal(state.taken, 40)

  using broken = openCase([...smallSlices(3), Buffer.from('no image'), ...smallSlices(1)])
  for (let i = 0; i < 2; i++)
    await t.rejects(classify(classifier, broken), { code: 'UNSUPPORTED_FORMAT' }, 'each of its uses')
  t.equal((await broken.image(2)).width, 64, 'and what came before is there')
})

t.test('a case that was disposed of', async (t) => {
  await using classifier = await createModel(classifierSpec)
  const scan = openCase(smallSlices(30))
  const run = classify(classifier, scan, { batchSize: 1, onProgress: () => scan.dispose() })
  await t.rejects(run, { code: 'DISPOSED' }, 'a run that works on it')
  scan.dispose()
  await t.rejects(classify(classifier, scan), { code: 'DISPOSED' })
  await t.rejects(scan.image(0), { code: 'DISPOSED' })
})

t.test('masks are bits until they are read', async (t) => {
  await using segmenter = await createModel(segmenterSpec)
  const [result] = await segment(segmenter, smallSlices(1), { threshold: 0.4 })
  t.type(Object.getOwnPropertyDescriptor(result, 'mask')!.get, 'function')
  const copy = structuredClone(result!)
  t.equal(result!.mask, result!.mask, 'made once')
  t.same(copy.mask, result!.mask)
  t.same({ ...result }.mask, copy.mask)
  t.equal(
    copy.mask.reduce((sum, value) => sum + value, 0),
    result!.areaPixels,
  )
  t.equal(Object.freeze(result)!.mask.length, 64 * 64)
})

t.test('classifying releases what it has classified', async (t) => {
  await using classifier = await createModel(classifierSpec)
  const data = new Uint8Array(1024 * 1024).map((_, i) => i % 251)
  const many = function* (count: number) {
    for (let i = 0; i < count; i++) yield { data, width: 1024, height: 1024 }
  }
  await classify(classifier, many(64))
  const before = process.memoryUsage.rss()
  let most = 0
  const onProgress = () => {
    most = Math.max(most, process.memoryUsage.rss())
  }
  await classify(classifier, many(500), { onProgress })
  const grownMiB = (most - before) / 2 ** 20
  t.ok(grownMiB < 200, `500 MiB of slices took ${grownMiB.toFixed(0)} MiB`)
})

t.test('the native store takes nothing on trust', async (t) => {
  const { NativeSliceStore, NativeMask } = addon() as ReturnType<typeof addon> & { NativeMask: unknown }
  const store = new NativeSliceStore(0)
  const slice = { data: new Uint8Array(6), width: 3, height: 2, channels: 1 as const }
  const refuse = (change: object, code: string) =>
    t.throws(() => store.append({ ...slice, ...change } as never), { code }, JSON.stringify(change))
  refuse({ width: 4 }, 'INVALID_ARGUMENT')
  refuse({ width: 3.5 }, 'INVALID_ARGUMENT')
  refuse({ height: 0 }, 'INVALID_ARGUMENT')
  refuse({ channels: 2 }, 'INVALID_ARGUMENT')
  refuse({ data: new Float64Array(6) }, 'INVALID_TYPE')
  refuse({ data: [1, 2] }, 'INVALID_TYPE')
  refuse({ data: new Int16Array(6), window: 'lung' }, 'INVALID_TYPE')
  refuse({ data: new Int16Array(6), window: { center: 0, width: 0 } }, 'INVALID_ARGUMENT')
  refuse({ spacing: [1] }, 'INVALID_TYPE')
  refuse({ spacing: [1, -1] }, 'INVALID_ARGUMENT')
  refuse({ positionMm: [0, 0, Number.NaN] }, 'INVALID_ARGUMENT')
  refuse({ mask: new Uint8Array(5) }, 'SHAPE_MISMATCH')
  refuse({ mask: new Uint8Array(0) }, 'SHAPE_MISMATCH')
  refuse({ mask: new Uint8Array(6).fill(2) }, 'INVALID_ARGUMENT')
  refuse({ label: 2 }, 'INVALID_ARGUMENT')
  refuse({ patient: 5 }, 'INVALID_TYPE')
  t.equal(store.size, 0)
  t.equal(slice.data.length, 6, 'what is refused is left alone')
  const shared = new Uint8Array(10).subarray(2, 8)
  const known = { spacing: [0.5, 0.7], positionMm: [-1, 2, 3.5], source: 'a.png' } as const
  t.equal(store.append({ ...slice, data: slice.data.slice(), ...known }), 0)
  t.equal(store.append({ ...slice, data: shared }), 1)
  t.equal(shared.length, 6, 'a part of a buffer is left alone')
  const large = { data: new Uint8Array(2 ** 25), width: 2 ** 13, height: 2 ** 12, channels: 1 as const }
  store.append(large)
  t.equal(large.data.length, 0, 'of much data the buffer is freed')
  t.ok(store.isOverLimit)
  await store.spill()
  t.notOk(store.isOverLimit)
  t.same(await store.read(0), { ...slice, ...known })
  for (const index of [-1, 0.5, Number.NaN]) t.throws(() => store.read(index), { code: 'INVALID_ARGUMENT' })
  await t.rejects(store.read(3), { code: 'INVALID_ARGUMENT' })
  t.throws(() => store.release(0, 4), { code: 'INVALID_ARGUMENT' })
  t.same((await store.read(0)).data, slice.data, 'all of them are given up or none')
  store.release(0, 1)
  await t.rejects(store.read(0), { code: 'DISPOSED' })
  t.throws(() => new (NativeMask as new () => unknown)(), { code: 'INVALID_TYPE' })
})

t.test('native measuring takes nothing on trust', async (t) => {
  const { NativeSliceStore } = addon()
  await using segmenter = await createModel(segmenterSpec)
  const native = nativeOf(segmenter)
  const store = new NativeSliceStore()
  const place = { spacing: [1, 1] as const, orientation: [1, 0, 0, 0, 1, 0] as const }
  for (const z of [4, 2])
    store.append({
      data: new Uint8Array(64 * 64),
      width: 64,
      height: 64,
      channels: 1,
      ...place,
      positionMm: [0, 0, z],
    })
  store.append({
    data: new Uint8Array(32 * 64),
    width: 32,
    height: 64,
    channels: 1,
    ...place,
    positionMm: [0, 0, 0],
  })
  const request = { threshold: 0.5, probabilities: false, minAreaPixels: 1, batchSize: 4, isRemainder: false }
  const found = await native.segment([{ store, slices: [0, 1, 2] }], request)
  const masks = found.map(({ mask }) => mask)
  const measure = (slices: unknown, lungs: unknown, lesions: unknown) =>
    callNative((addon) => addon.measureCase(store, slices as [], lungs as [], lesions as []))
  const both = masks.slice(0, 2)
  t.ok('involvement' in (await measure([0, 1], both, both)))
  t.match(await measure([0, 1, 2], masks, masks), { reason: /differ in size/ })
  await t.rejects(measure([0, 1], masks, both), { code: 'INVALID_ARGUMENT' })
  await t.rejects(measure([0, 1], both, [{}, {}]), { code: 'INVALID_TYPE' })
  await t.rejects(measure([0, 1], undefined, both), { code: 'INVALID_ARGUMENT' })
  await t.rejects(measure([0, 7], both, both), { code: 'INVALID_ARGUMENT' })
  await t.rejects(measure([0, 1], [masks[0], masks[2]], both), { code: 'SHAPE_MISMATCH' })
})
