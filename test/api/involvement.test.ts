import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  createModel,
  diagnose,
  diagnosisReport,
  type Involvement,
  openCase,
  type ProgressEvent,
} from '../../ts/index'
import { element, filesOf, type stack, writeFiles } from './dicom-files'
import { count, lower, lungs, networks, scan, size, trachea, upper, voxelMl, voxels } from './lung-scan'
import { classifierSpec, repositoryRoot, smallSlices } from './small'
import { thresholdModel } from './threshold-model'

const withElement = (slice: ReturnType<typeof scan>[number], one: ReturnType<typeof element>) => ({
  ...slice,
  change: [...slice.change!.filter(({ tag }) => tag !== one.tag), one],
})

const series = (directory: string, slices: ReturnType<typeof stack>) => writeFiles(directory, filesOf(slices))
const close = (t: Test, found: number, wanted: number, message?: string) =>
  t.ok(Math.abs(found - wanted) < 1e-6 * Math.max(1, wanted), `${message ?? ''} ${found} is ${wanted}`)

const lungVoxels = voxels(lungs[0]!) + voxels(lungs[1]!)

function check(t: Test, involvement: Involvement): void {
  const lesionVoxels = voxels(upper) + voxels(lower)
  close(t, involvement.lungVolumeMl, lungVoxels * voxelMl, 'lungs')
  close(t, involvement.lesionVolumeMl, lesionVoxels * voxelMl, 'lesions')
  close(t, involvement.percent, (100 * lesionVoxels) / lungVoxels)
  const outside = size * size * count - lungVoxels - voxels(trachea)
  close(t, involvement.lesionOutsideLungsMl, outside * voxelMl, 'outside')
  t.same(
    involvement.sides.map(({ side, lesionVolumeMl }) => [side, Math.round(lesionVolumeMl / voxelMl)]),
    [
      ['right', voxels(upper)],
      ['left', voxels(lower)],
    ],
    "the image's left is the patient's right",
  )
  t.same(
    involvement.regions.map(({ side, third, lesionVolumeMl }) => [
      side,
      third,
      Math.round(lesionVolumeMl / voxelMl),
    ]),
    [
      ['right', 'upper', voxels(upper)],
      ['right', 'middle', 0],
      ['right', 'lower', 0],
      ['left', 'upper', 0],
      ['left', 'middle', 0],
      ['left', 'lower', voxels(lower)],
    ],
  )
  t.equal(involvement.severityScore, 2)
  t.match(involvement.lesions, [
    { firstSlice: 2, lastSlice: 6, centroidX: 13.5, centroidY: 24.5, side: 'right', third: 'upper' },
    { firstSlice: 25, lastSlice: 27, centroidX: 44.5, centroidY: 44.5, side: 'left', third: 'lower' },
  ])
  close(t, involvement.lesions[0]!.meanHu!, -500, 'mean HU')
  close(t, involvement.lesions[1]!.volumeMl, voxels(lower) * voxelMl)
}

t.test('lesions are measured against the lungs, without a classifier', async (t) => {
  const directory = t.testdir({ case: {} })
  const { lungs: lungModel, segmenter } = await networks(directory)
  await using _ = lungModel
  await using __ = segmenter
  t.equal(segmenter.minLesionAreaMm2, 5)
  series(join(directory, 'case'), scan([...lungs, trachea, upper, lower]))
  using opened = openCase(join(directory, 'case'))
  const events: ProgressEvent[] = []
  const onProgress = (event: ProgressEvent) => events.push(event)
  const diagnosis = await diagnose({ segmenter, lungs: lungModel }, opened, { sliceThreshold: 7, onProgress })

  check(t, diagnosis.involvement!)
  t.match(diagnosis, { basis: 'lesion-area', positive: true, positiveSlices: 8, minLesionAreaMm2: 5 })
  const [second, empty] = [diagnosis.slices[2]!, diagnosis.slices[10]!]
  t.match(second, { positive: true, lesionAreaMm2: 80 * 0.375 })
  t.match(empty, { positive: false, lesionAreaMm2: 0 })
  t.equal(second.classification, undefined)
  t.equal(
    second.lungMask!.reduce((sum, pixel) => sum + pixel),
    2 * 22 * 40,
    'without the trachea',
  )
  t.equal(events.filter(({ phase }) => phase === 'lungs').at(-1)?.done, count)
  t.notOk(events.some(({ phase }) => phase === 'classify'))
  t.ok(diagnosis.timing.lungsMs > 0 && diagnosis.timing.measureMs > 0)

  const text = (await diagnosisReport(diagnosis, opened)).replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
  t.match(text, /No classifier: slices are positive by the area of their lesions, above 5\smm²/)
  t.match(text, /right lung 19\.8 0\.30 1\.5 % upper third 6\.60 0\.30 4\.5 %/)
  t.match(text, /severity score 2 of 24/)
  t.match(text, /0\.30 -500 right, upper third 3–7/)
  t.match(text, /slice 3: 30\smm², positive/)

  t.equal(
    (await diagnose({ segmenter, lungs: lungModel }, opened, { sliceThreshold: 7, minLesionAreaMm2: 31 }))
      .positiveSlices,
    3,
    'the area can be set',
  )
})

t.test('slice thresholds in millimetres', async (t) => {
  const directory = t.testdir({ case: {} })
  await using segmenter = await thresholdModel(directory, -700)
  series(join(directory, 'case'), scan([{ x: [0, 64], y: [0, 64], z: [0, 22], hu: -850 }]))
  const run = (millimetres: number) =>
    diagnose({ segmenter }, join(directory, 'case'), { sliceThreshold: { millimetres } })
  // Slices 22 to 29 are tissue, 8 of 2 mm.
  t.match(await run(15.9), { positive: true, sliceThreshold: 7, sliceThresholdMm: 15.9, positiveSlices: 8 })
  const equal = await run(16)
  t.match(equal, { positive: false, sliceThreshold: 8 })
  t.notOk(
    equal.warnings.some((warning) => /250 to 400/.test(warning)),
    'it suits any distance of slices',
  )
  t.match((await run(60)).warnings.join(), /can never be positive/)
  await t.rejects(diagnose({ segmenter }, smallSlices(3), { sliceThreshold: { millimetres: 5 } }), {
    code: 'INVALID_ARGUMENT',
    message: /how far apart/,
  })
  for (const sliceThreshold of [{ millimetres: -1 }, { mm: 5 }, { millimetres: Number.NaN }, 'x'])
    await t.rejects(
      diagnose({ segmenter }, smallSlices(3), { sliceThreshold: sliceThreshold as unknown as 1 }),
      {
        message: /sliceThreshold/,
      },
    )
})

t.test('a classifier decides where there is one; lesions are measured all the same', async (t) => {
  const directory = t.testdir({ case: {} })
  const { lungs: lungModel, segmenter } = await networks(directory)
  await using _ = lungModel
  await using __ = segmenter
  await using classifier = await createModel(classifierSpec)
  series(join(directory, 'case'), scan([...lungs, trachea, upper, lower]))
  const diagnosis = await diagnose({ classifier, segmenter, lungs: lungModel }, join(directory, 'case'), {
    sliceThreshold: 0,
    classificationThreshold: 1,
    explain: true,
  })
  t.match(diagnosis, { basis: 'classifier', positive: false, positiveSlices: 0 })
  t.equal(diagnosis.minLesionAreaMm2, undefined)
  check(t, diagnosis.involvement!)
  t.ok(diagnosis.slices.every(({ classification }) => classification?.activationMap))
})

t.test('where nothing tells the geometry, it says so', async (t) => {
  const directory = t.testdir({})
  const { lungs: lungModel, segmenter } = await networks(directory)
  await using _ = lungModel
  await using __ = segmenter
  const pictures = smallSlices(3).map(({ spacing: _spacing, ...pixels }) => pixels)
  const diagnosis = await diagnose({ segmenter, lungs: lungModel }, pictures, {
    sliceThreshold: 0,
    minLesionAreaMm2: 100,
  })
  t.equal(diagnosis.involvement, undefined)
  t.match(diagnosis.warnings.join(), /Volumes are not measured.*350 mm wide/)
  t.equal(diagnosis.slices[0]!.lesionAreaMm2, undefined)
  const area = diagnosis.slices[0]!.segmentation!.areaPixels * (350 / 64) ** 2
  t.ok(area > 100, 'the threshold matters')
  t.equal(diagnosis.slices[0]!.positive, true)
  const high = { sliceThreshold: 0, minLesionAreaMm2: area + 1 }
  t.equal((await diagnose({ segmenter }, pictures.slice(0, 1), high)).positive, false)

  await t.rejects(diagnose({ segmenter }, pictures, { sliceThreshold: 0, explain: true }), {
    code: 'INVALID_ARGUMENT',
    message: /classifier/,
  })
  await using classifier = await createModel(classifierSpec)
  await t.rejects(diagnose({ segmenter, lungs: classifier }, pictures), {
    code: 'INVALID_ARGUMENT',
    message: /models\.lungs/,
  })
})

t.test('volumes over a gap are refused, unless asked for', async (t) => {
  const directory = t.testdir({ case: {} })
  const { lungs: lungModel, segmenter } = await networks(directory)
  await using _ = lungModel
  await using __ = segmenter
  const slices = scan([...lungs, upper]).filter(({ number }) => number !== 12)
  const folder = series(join(directory, 'case'), slices)
  const models = { segmenter, lungs: lungModel }
  const refused = { code: 'INCOMPLETE_SERIES', message: /missing.*onGap: 'warn'/ }
  await t.rejects(diagnose(models, folder, { sliceThreshold: 0 }), refused)
  await t.rejects(diagnose(models, folder, { sliceThreshold: 0, onGap: 'refuse' }), refused)
  using opened = openCase(folder)
  await t.rejects(diagnose(models, opened, { sliceThreshold: 0 }), refused, 'of an opened case as well')
  using warnedOf = openCase(folder, { onGap: 'warn' })
  const ofOpened = await diagnose(models, warnedOf, { sliceThreshold: 0 })
  const warned = await diagnose(models, folder, { sliceThreshold: 0, onGap: 'warn' })
  t.match(warned.warnings.join(), /missing/)
  close(
    t,
    warned.involvement!.lungVolumeMl,
    lungVoxels * voxelMl,
    'the slices beside a gap take half of it each',
  )
  t.same(ofOpened.involvement, warned.involvement)
  t.equal((await diagnose({ segmenter }, folder, { sliceThreshold: 0 })).totalSlices, 29)

  // Of one slice the header can be read, and the pixels cannot.
  const cut = element('7FE00010', 'OW', new Uint8Array(10))
  const damaged = writeFiles(
    join(directory, 'damaged'),
    filesOf(scan([...lungs, upper]).map((slice) => (slice.number === 12 ? withElement(slice, cut) : slice))),
  )
  const skip = { sliceThreshold: 0, onBadSlice: 'skip' } as const
  await t.rejects(diagnose(models, damaged, skip), { code: 'INCOMPLETE_SERIES' })
  t.ok((await diagnose(models, damaged, { ...skip, onGap: 'warn' })).involvement)
})

t.test('cancelling while lungs are found', async (t) => {
  const directory = t.testdir({ case: {} })
  const { lungs: lungModel, segmenter } = await networks(directory)
  await using _ = lungModel
  await using __ = segmenter
  const folder = series(join(directory, 'case'), scan(lungs))
  const run = diagnose({ segmenter, lungs: lungModel }, folder, { sliceThreshold: 0 })
  for await (const event of run) if (event.phase === 'lungs') break
  await t.rejects(run, { code: 'CANCELLED' })
})

t.test('the command line needs no classifier, and measures', async (t) => {
  const directory = t.testdir({ case: {}, out: {} })
  const { lungs: lungModel, segmenter } = await networks(directory)
  await using _ = lungModel
  await using __ = segmenter
  const models = ['lungs', 'segmenter'].map((name) => join(directory, `${name}.safetensors`))
  await Promise.all([lungModel.save(models[0]!), segmenter.save(models[1]!)])
  const folder = series(join(directory, 'case'), scan([...lungs, trachea, upper, lower]))
  const words = ['diagnose', folder, '--segmenter', models[1]!, '--lungs', models[0]!]
  const jcs = (...more: string[]) =>
    spawnSync(process.execPath, [join(repositoryRoot, 'dist/cli/main.js'), ...words, ...more], {
      encoding: 'utf8',
    })
  const json = jcs('--slice-threshold', '15mm', '--json')
  t.equal(json.status, 0, json.stderr)
  const document = JSON.parse(json.stdout)
  t.match(document, { basis: 'lesion-area', sliceThreshold: 7, sliceThresholdMm: 15, positiveSlices: 8 })
  check(t, document.involvement)
  t.notMatch(json.stdout, /lungMask|"mask"/, 'without pixel data')
  const text = jcs('--slice-threshold', '7', '--min-lesion-area', '31', '--out', join(directory, 'out'))
  t.match(
    text.stdout,
    /NEGATIVE: 3 of 30.*more than 31 mm² of lesions.*lungs 40 ml, lesions 0\.5 ml: 1\.3 %/s,
  )
  t.match(jcs('--slice-threshold', 'many').stderr, /expected a/)
})
