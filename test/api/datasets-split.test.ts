import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  type DatasetSample,
  findOverlap,
  foldsByPatient,
  readDataset,
  splitByPatient,
} from '../../ts/datasets'
import { sharedData } from './shared-data'

/** `patients` of `slices` slices each. */
function cohort(patients: number, slices: number, label: 0 | 1, prefix = `${label}-`): DatasetSample[] {
  return Array.from({ length: patients * slices }, (_, index) => ({
    image: `/data/${prefix}${index}.png`,
    label,
    patient: `${prefix}${Math.floor(index / slices)}`,
    origin: `list.csv:${index + 2}`,
  }))
}

const patientsOf = (samples: DatasetSample[]) => new Set(samples.map(({ patient }) => patient))
const shareOf = (part: DatasetSample[], whole: DatasetSample[], label: number) =>
  part.filter((sample) => sample.label === label).length /
  whole.filter((sample) => sample.label === label).length

t.test('no patient is on both sides, nothing is lost, both classes keep their share', async (t) => {
  const samples = [...cohort(40, 7, 1), ...cohort(25, 3, 0)]
  for (let seed = 0; seed < 20; seed++) {
    const { train, validation, warnings } = splitByPatient(samples, { seed })
    t.same(
      [...train, ...validation].map(({ origin, image }) => `${origin}${image}`).sort(),
      samples.map(({ origin, image }) => `${origin}${image}`).sort(),
    )
    const inTrain = patientsOf(train)
    t.notOk([...patientsOf(validation)].some((patient) => inTrain.has(patient)))
    for (const label of [0, 1]) {
      const share = shareOf(validation, samples, label)
      t.ok(Math.abs(share - 0.2) < 0.03, `seed ${seed}: ${share} of label ${label}`)
    }
    t.same(warnings, [])
  }
})

t.test(
  'the seed alone decides: equal seeds agree, others differ, the place of the files does not matter',
  async (t) => {
    const samples = cohort(30, 2, 1)
    const elsewhere = samples.map((sample) => ({ ...sample, image: `/mnt${sample.image}` }))
    const chosen = (from: DatasetSample[], seed: number) => [
      ...patientsOf(splitByPatient(from, { seed }).validation),
    ]
    t.same(chosen(samples, 1), chosen(samples, 1))
    t.same(chosen(elsewhere, 1), chosen(samples, 1))
    t.not(String(chosen(samples, 2)), String(chosen(samples, 1)))
  },
)

t.test(
  'samples that are connected stay together: one file under two patients, one patient in two files',
  async (t) => {
    const link = (image: string, patient: string | undefined): DatasetSample => ({
      image,
      label: 1,
      ...(patient && { patient }),
      origin: image + patient,
    })
    const chain = [
      link('a.png', 'A'),
      link('a.png', 'B'),
      link('b.png', 'B'),
      link('b.png', 'C'),
      link('./b.png', undefined),
    ]
    const samples = [...chain, ...cohort(10, 1, 1)]
    for (let seed = 0; seed < 20; seed++) {
      const { validation } = splitByPatient(samples, { seed, validationFraction: 0.4 })
      const together = chain.filter((sample) => validation.includes(sample)).length
      t.ok(together === 0 || together === chain.length, `seed ${seed}: ${together} of ${chain.length}`)
    }
  },
)

t.test('few patients still give two sides; one patient cannot be split', async (t) => {
  for (const samples of [cohort(2, 10, 1), [...cohort(1, 9, 1), ...cohort(1, 4, 0)], cohort(2, 1, 0)]) {
    const { train, validation } = splitByPatient(samples, { validationFraction: 0.1 })
    t.ok(train.length > 0 && validation.length > 0, `${train.length} and ${validation.length}`)
  }
  t.throws(() => splitByPatient(cohort(1, 10, 1)), { code: 'INVALID_ARGUMENT', message: /one patient/ })
  t.throws(() => splitByPatient([]), { code: 'EMPTY_DATASET' })
  for (const validationFraction of [0, 1, -1, Number.NaN]) {
    t.throws(() => splitByPatient(cohort(2, 2, 1), { validationFraction }), { code: 'INVALID_ARGUMENT' })
  }
})

t.test('unknown patients are said', async (t) => {
  const samples = cohort(10, 1, 1).map(({ patient, ...sample }) => sample)
  t.match(splitByPatient(samples).warnings, [/^10 samples name no patient/])
})

t.test('a hundred thousand slices of one patient are grouped in reasonable time', async (t) => {
  const samples = [...cohort(1, 100_000, 1), ...cohort(1, 10, 0)]
  const start = performance.now()
  t.equal(splitByPatient(samples).train.length + splitByPatient(samples).validation.length, samples.length)
  const elapsedMs = performance.now() - start
  t.ok(elapsedMs < 10_000, `${elapsedMs} ms`)
})

t.test('a given split that overlaps is reported, links followed', async (t) => {
  const directory = t.testdir({ 'a.png': 'x' })
  await symlink('a.png', join(directory, 'link.png'))
  const sample = (image: string, patient?: string): DatasetSample => ({
    image,
    label: 1,
    ...(patient && { patient }),
    origin: 'x',
  })
  const a = join(directory, 'a.png')
  const link = join(directory, 'link.png')
  t.same(await findOverlap([sample(a, 'A')], [sample('/other.png', 'B')]), [])
  t.same(
    await findOverlap([sample(a)], [sample('/other.png')]),
    [],
    'unknown patients are not the same patient',
  )
  t.match(await findOverlap([sample(a, 'A')], [sample(link, 'B')]), [
    /^1 of 1 validation images are also used for training/,
  ])
  t.match(await findOverlap([sample(a, 'A')], [sample('/other.png', 'A')]), [/^1 patients are in both.*'A'/])
})

t.test('real data', { skip: sharedData.missing }, async (t) => {
  const read = async (name: string) => (await readDataset(sharedData.path(name))).samples
  const [authorsTrain, authorsTest] = [
    await read('covid19-ct100/authors-train.txt'),
    await read('covid19-ct100/authors-test.txt'),
  ]
  t.match(
    await findOverlap(authorsTrain, authorsTest),
    [/^20 of 20 validation images/],
    'the authors’ lists overlap',
  )
  const [train, val] = [await read('covid-ct/train.csv'), await read('covid-ct/val.csv')]
  t.same(await findOverlap(train, val), [], 'the official split is disjoint')

  const split = splitByPatient(await read('coronacases'), { seed: 3 })
  t.same(await findOverlap(split.train, split.validation), [])
  t.ok(split.validation.length > 62 && split.validation.length < 186, `${split.validation.length} of 622`)
})

t.test('folds part patients, are alike in size and in both classes, and lose nothing', async (t) => {
  const uneven = [
    ...cohort(3, 20, 1, 'large-'),
    ...cohort(30, 4, 1),
    ...cohort(11, 7, 0),
    ...cohort(8, 2, 0, 'few-'),
  ]
  for (const count of [2, 5, 10]) {
    const { folds, warnings } = foldsByPatient(uneven, count, 3)
    t.equal(folds.length, count)
    t.same(
      folds
        .flat()
        .map(({ image }) => image)
        .sort(),
      uneven.map(({ image }) => image).sort(),
    )
    const patients = folds.flatMap((fold) => [...patientsOf(fold)])
    t.equal(new Set(patients).size, patients.length, 'nobody is in two')
    const largest = 20
    const sizes = folds.map((fold) => fold.length)
    t.ok(Math.max(...sizes) - Math.min(...sizes) <= largest, `${count}: ${sizes}`)
    for (const label of [0, 1]) {
      const inFold = folds.map((fold) => fold.filter((sample) => sample.label === label).length)
      t.ok(Math.min(...inFold) > 0, `${count}: ${inFold} of label ${label}`)
    }
    t.same(warnings, [])
    t.same(foldsByPatient(uneven, count, 3).folds, folds, 'the same seed, the same folds')
  }
  t.notSame(foldsByPatient(uneven, 5, 1).folds, foldsByPatient(uneven, 5, 2).folds)
  const even = foldsByPatient([...cohort(20, 5, 1), ...cohort(10, 5, 0)], 5).folds
  t.same(
    even.map((fold) => [0, 1].map((label) => fold.filter((sample) => sample.label === label).length)),
    Array(5).fill([10, 20]),
  )
  t.throws(() => foldsByPatient(cohort(3, 4, 1), 4), { code: 'INVALID_ARGUMENT' })
})
