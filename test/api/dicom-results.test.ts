import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createModel, diagnose, evaluate, segment, train } from '../../ts/index'
import { ctElements, ctSlice, element, encodeDicom, filesOf, stack, writeFiles } from './dicom-files'
import { classifierSpec, quick, repositoryRoot, segmenterSpec } from './small'

const size = 64
const positive = { sliceThreshold: 0, classificationThreshold: 0 }

/** Elements of a square slice of another size; black without `pixels`. */
function sized(side: number, pixels = new Uint16Array(side * side)) {
  return [
    element('00280010', 'US', [side]),
    element('00280011', 'US', [side]),
    element('7FE00010', 'OW', new Uint8Array(pixels.buffer)),
  ]
}

t.test('segment takes an array in the order given', async (t) => {
  await using segmenter = await createModel(segmenterSpec)
  const large = (number: number) =>
    ctSlice({
      number,
      position: [0, 0, number],
      change: [
        element('00280010', 'US', [32]),
        element('00280011', 'US', [32 + number]),
        element('7FE00010', 'OW', new Uint8Array(2 * 32 * (32 + number))),
      ],
    })
  const results = await segment(segmenter, [large(1), large(3), large(2)])
  t.same(
    results.map(({ width }) => width),
    [33, 35, 34],
  )
  t.ok(results.every(({ laterality }) => laterality === 'patient'))
})

t.test("'left' is the patient's, whichever way rows run", async (t) => {
  await using segmenter = await createModel(segmenterSpec)
  // Noise, so that the untrained network finds lesions on both sides at its own median.
  let state = 1
  const noise = Uint16Array.from({ length: size * size }, () => {
    state = (state * 48271) % 2147483647
    return state % 2048
  })
  const change = sized(size, noise)
  const lesionsOf = async (orientation: readonly number[] | undefined) => {
    const elements = ctElements({
      number: 0,
      position: [0, 0, 0],
      ...(orientation && { orientation }),
      change,
    })
    const bytes = encodeDicom(elements.filter(({ tag }) => orientation !== undefined || tag !== '00200037'))
    const [whole] = await segment(segmenter, bytes, { probabilities: true })
    const threshold = [...whole!.probabilities!].sort((a, b) => a - b)[(size * size) / 2]!
    const [result] = await segment(segmenter, bytes, { threshold })
    const { laterality, lesions } = result!
    const sides = lesions
      .filter(({ x0 }) => x0 !== (size - 1) / 2)
      .map(({ x0, position }) => ({ isLeftInImage: x0 < (size - 1) / 2, side: position.x }))
    t.equal(new Set(sides.map(({ isLeftInImage }) => isLeftInImage)).size, 2, 'lesions on both sides')
    return { laterality, sides }
  }
  const expected = (isMirrored: boolean) => (lesion: { isLeftInImage: boolean; side: string }) =>
    lesion.side === (lesion.isLeftInImage !== isMirrored ? 'left' : 'right')
  // Looked at from the feet, as slices are, the patient's left is on the right.
  const standard = await lesionsOf([1, 0, 0, 0, 1, 0])
  t.equal(standard.laterality, 'patient')
  t.ok(standard.sides.every(expected(true)))
  const turned = await lesionsOf([-1, 0, 0, 0, 1, 0])
  t.equal(turned.laterality, 'patient')
  t.ok(turned.sides.every(expected(false)))
  const unknown = await lesionsOf(undefined)
  t.equal(unknown.laterality, 'image')
  t.ok(unknown.sides.every(expected(false)))
})

t.test('datasets take DICOM wherever they take pictures', async (t) => {
  const pixels = (number: number) => new Uint16Array(size * size).fill(900 + 50 * number)
  const slices = stack(4, (number) => ({ change: sized(size, pixels(number)) }))
  const directory = writeFiles(t.testdir({}), {
    ...Object.fromEntries(slices.map((slice, index) => [`${index}.dcm`, ctSlice(slice)])),
    'data.csv': Buffer.from(
      `image,label\n${[0, 1, 2, 3].map((index) => `${index}.dcm,${index % 2}`).join('\n')}\n`,
    ),
  })
  await using model = await createModel(classifierSpec)
  t.match(await evaluate(model, join(directory, 'data.csv')), { task: 'classification', samples: 4 })
  const { history } = await train({
    ...quick,
    task: 'classification',
    spec: classifierSpec,
    data: { train: join(directory, 'data.csv') },
  })
  t.ok(history.length > 0)
})

t.test('a diagnosis tells its series', async (t) => {
  await using classifier = await createModel(classifierSpec)
  await using segmenter = await createModel(segmenterSpec)
  const directory = writeFiles(t.testdir({}), filesOf(stack(3, () => ({ change: sized(size) }))))
  const diagnosis = await diagnose({ classifier, segmenter }, directory, positive)
  t.match(diagnosis, {
    totalSlices: 3,
    laterality: 'patient',
    series: { modality: 'CT', slices: 3, spacingMm: [0.5, 0.75, 2], excluded: [] },
  })
  t.same(
    diagnosis.slices.map(({ positionMm }) => positionMm),
    [4, 2, 0],
  )
})

t.test('no output tells anything of the patient', async (t) => {
  const root = t.testdir({ case: {}, out: {} })
  const directory = writeFiles(join(root, 'case'), {
    ...filesOf(stack(3, () => ({ change: sized(size) }))),
    localizer: ctSlice({
      number: 9,
      position: [0, 0, 9],
      change: [element('00080008', 'CS', 'ORIGINAL\\PRIMARY\\LOCALIZER')],
    }),
  })
  const secrets = ['Doe', 'Jane', '4711', '19610203']
  const [file] = readdirSync(directory)
  for (const secret of secrets)
    t.ok(readFileSync(join(directory, file!)).includes(secret), 'the files have it')

  const models = {
    classifier: join(root, 'classifier.safetensors'),
    segmenter: join(root, 'segmenter.safetensors'),
  }
  await using classifier = await createModel(classifierSpec)
  await using segmenter = await createModel(segmenterSpec)
  await Promise.all([classifier.save(models.classifier), segmenter.save(models.segmenter)])
  const out = (name: string) => ['--out', join(root, 'out', name)]
  const diagnosing = ['diagnose', directory, '-c', models.classifier, '-s', models.segmenter]
  const commands = [
    ['inspect', directory],
    ['inspect', directory, '--json'],
    [...diagnosing, '--slice-threshold', '0', '--explain', ...out('diagnosis')],
    [...diagnosing, '--slice-threshold', '0', '--progress', 'json'],
    ['classify', directory, '-m', models.classifier, ...out('classification')],
    ['segment', directory, '-m', models.segmenter, ...out('segmentation')],
    [...diagnosing, '--series', 'none'],
  ]
  const outputs: string[] = []
  for (const command of commands) {
    const { stdout, stderr } = spawnSync(process.execPath, [
      join(repositoryRoot, 'dist/cli/main.js'),
      ...command,
    ])
    outputs.push(stdout.toString('latin1'), stderr.toString('latin1'))
  }
  for (const entry of readdirSync(join(root, 'out'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) outputs.push(readFileSync(join(entry.parentPath ?? entry.path, entry.name), 'latin1'))
  }
  t.ok(
    outputs.some((text) => text.includes('<!doctype html>')),
    'the report is among them',
  )
  for (const secret of secrets)
    t.notOk(
      outputs.some((text) => text.includes(secret)),
      secret,
    )
})
