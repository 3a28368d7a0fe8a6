import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { matchLesions } from '../../ts/comparison/match'
import {
  type Comparison,
  compareDiagnoses,
  comparisonReport,
  type DiagnosedCase,
  type DiagnosisModels,
  diagnose,
  openCase,
} from '../../ts/index'
import { type ctSlice, element, filesOf, writeFiles } from './dicom-files'
import { type Box, lower, lungs, networks, scan, upper, voxelMl, voxels } from './lung-scan'
import { repositoryRoot } from './small'

type Slice = Parameters<typeof ctSlice>[0]

const grown: Box = { x: [10, 20], y: [20, 32], z: [2, 8], hu: -500 }
const fresh: Box = { x: [40, 48], y: [14, 24], z: [12, 16], hu: -450 }
const volume = (...boxes: Box[]) => boxes.reduce((sum, box) => sum + voxels(box), 0) * voxelMl

/** As the patient lay somewhere else, with lungs so much longer. */
const moved = (slices: readonly Slice[], stretch = 1.1): Slice[] =>
  slices.map((slice) => ({
    ...slice,
    position: [30 + slice.position[0], -20 + slice.position[1], 100 + stretch * slice.position[2]] as const,
  }))

async function opened(
  t: Test,
  work: (
    models: DiagnosisModels,
    of: (name: string, slices: readonly Slice[]) => Promise<DiagnosedCase>,
  ) => Promise<void>,
) {
  const root = t.testdir({ models: {} })
  const { lungs, segmenter } = await networks(join(root, 'models'))
  await using _lungs = lungs
  await using _segmenter = segmenter
  const models = { segmenter, lungs }
  const scans: Disposable[] = []
  try {
    await work(models, async (name, slices) => {
      const opened = openCase(writeFiles(join(root, name), filesOf(slices)))
      scans.push(opened)
      return { diagnosis: await diagnose(models, opened, { sliceThreshold: 3 }), scan: opened }
    })
  } finally {
    for (const one of scans) one[Symbol.dispose]()
  }
}

const changesOf = ({ lesions }: Comparison) =>
  lesions.map(({ change, volumeBeforeMl, volumeAfterMl, side, third }) => [
    change,
    volumeBeforeMl.toFixed(3),
    volumeAfterMl.toFixed(3),
    side,
    third,
  ])

t.test('lesions are found again wherever the patient lies and however deep the breath', (t) =>
  opened(t, async (_, of) => {
    const before = await of('before', scan([...lungs, upper, lower]))
    const after = await of('after', moved(scan([...lungs, grown, fresh])))
    const comparison = await compareDiagnoses(before, after)
    t.same(changesOf(comparison), [
      ['grown', volume(upper).toFixed(3), (1.1 * volume(grown)).toFixed(3), 'right', 'upper'],
      ['new', '0.000', (1.1 * volume(fresh)).toFixed(3), 'left', 'middle'],
      ['vanished', volume(lower).toFixed(3), '0.000', 'left', 'lower'],
    ])
    t.same(
      comparison.lesions.map(({ sliceBefore, sliceAfter }) => [sliceBefore, sliceAfter]),
      [
        [5, 5],
        [14, 14],
        [26, 26],
      ],
      'where one lies, or would',
    )
    t.same(comparison.before, before.diagnosis.involvement)
    t.same(comparison.after, after.diagnosis.involvement)
    t.same(
      comparison.warnings.filter((text) => !/^(Before|After): /.test(text)),
      [],
    )
  }),
)

t.test('the same twice is unchanged, and the other way round the other way', (t) =>
  opened(t, async (_, of) => {
    const one = await of('one', scan([...lungs, upper, lower]))
    const same = await compareDiagnoses(one, one)
    t.same(
      changesOf(same).map(([change]) => change),
      ['unchanged', 'unchanged'],
    )
    const other = await of('other', scan([...lungs, grown, fresh]))
    t.same(
      changesOf(await compareDiagnoses(other, one)).map(([change]) => change),
      ['shrunk', 'vanished', 'new'],
    )
    t.same(
      changesOf(await compareDiagnoses(one, other, { minLesionVolumeMl: 0.25 })).map(([change]) => change),
      ['grown'],
    )
  }),
)

t.test('a lesion that splits is one that changed', (t) =>
  opened(t, async (_, of) => {
    const whole: Box = { x: [10, 26], y: [20, 26], z: [5, 9], hu: -500 }
    const before = await of('before', scan([...lungs, whole]))
    const after = await of('after', scan([...lungs, { ...whole, x: [10, 17] }, { ...whole, x: [19, 26] }]))
    const { lesions } = await compareDiagnoses(before, after)
    t.equal(lesions.length, 1)
    t.match(lesions[0], { change: 'unchanged', before: [0] })
    t.same([...lesions[0]!.after].sort(), [0, 1])
  }),
)

t.test('lesions are matched by what touches', (t) => {
  const cubes = (...numbers: number[]) => new Set(numbers)
  const far = 2 ** 30
  t.same(matchLesions([], []), [])
  t.same(matchLesions([cubes(far)], []), [{ before: [0], after: [] }])
  t.same(matchLesions([cubes(far)], [cubes(far + 1)]), [{ before: [0], after: [0] }], 'a neighbour')
  t.same(matchLesions([cubes(far)], [cubes(far + 2)]), [
    { before: [0], after: [] },
    { before: [], after: [0] },
  ])
  const row = (from: number, count: number) =>
    cubes(...Array.from({ length: count }, (_, index) => far + from + index))
  t.same(matchLesions([row(0, 10)], [row(9, 20)]).length, 2, 'an eighth of the smaller one is by chance')
  t.same(matchLesions([row(0, 10)], [row(8, 20)]), [{ before: [0], after: [0] }])
  t.same(
    matchLesions([row(0, 4), row(10, 4), row(100, 4)], [row(0, 14), row(100, 4)]),
    [
      { before: [0, 1], after: [0] },
      { before: [2], after: [1] },
    ],
    'two that have grown together',
  )
  t.end()
})

t.test('what makes a comparison doubtful is said', (t) =>
  opened(t, async (models, of) => {
    const changed = (slices: readonly Slice[], tag: string, vr: string, value: string) =>
      slices.map((slice) => ({ ...slice, change: [...(slice.change ?? []), element(tag, vr, value)] }))
    const plain = scan([...lungs, upper])
    const before = await of('before', changed(plain, '00080020', 'DA', '20261102'))
    const other = changed(
      changed(moved(plain, 1.4), '00100020', 'LO', 'PATIENT-9'),
      '00080020',
      'DA',
      '20261101',
    )
    const after = await of('after', other)
    const { warnings } = await compareDiagnoses(before, after)
    t.match(warnings.join('\n'), /different patient IDs/)
    t.match(warnings.join('\n'), /later study date/)
    t.match(warnings.join('\n'), /lungs measure 40 ml before and 55 ml after/)
    t.notMatch(warnings.join('\n'), /PATIENT|Doe/)
    const { models: _, ...rest } = after.diagnosis
    const elsewhere = { ...after, diagnosis: { ...rest, models: [] } }
    t.match((await compareDiagnoses(before, elsewhere)).warnings.join('\n'), /different models/)

    const { involvement: __, ...unmeasured } = before.diagnosis
    await t.rejects(compareDiagnoses({ ...before, diagnosis: unmeasured }, after), {
      code: 'INVALID_ARGUMENT',
      message: /the diagnosis before measures no lungs/,
    })
    await t.rejects(compareDiagnoses(before, after, { minLesionVolumeMl: -1 }), { code: 'INVALID_ARGUMENT' })
    await t.rejects(compareDiagnoses(before, after, { exact: true } as object), { code: 'INVALID_ARGUMENT' })
    t.ok(models.lungs)
  }),
)

t.test('the page shows both times side by side', (t) =>
  opened(t, async (_, of) => {
    const before = await of('before', scan([...lungs, upper, lower]))
    const after = await of('after', moved(scan([...lungs, grown, fresh])))
    const comparison = await compareDiagnoses(before, after)
    const html = await comparisonReport(comparison, before, after, { title: 'Case <7>' })
    t.match(html, /<title>Case &lt;7&gt;<\/title>/)
    t.equal(html.match(/<img /g)!.length, 2 + 2 * 3, 'lungs, and three lesions, of both times')
    t.match(html, /Lesion 1: grown, right, upper third/)
    t.match(html, /research/i)
    t.notMatch(html, /Doe|PATIENT-4711/)
    await t.rejects(
      comparisonReport(
        { ...comparison, lesions: [{ ...comparison.lesions[0]!, sliceAfter: 99 }] },
        before,
        after,
      ),
      {
        code: 'INVALID_ARGUMENT',
      },
    )
  }),
)

t.test('jcs compare', async (t) => {
  const root = t.testdir({ models: {} })
  for (const model of Object.values(await networks(join(root, 'models')))) await model.dispose()
  const folder = (name: string, slices: readonly Slice[]) => writeFiles(join(root, name), filesOf(slices))
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...[join(repositoryRoot, 'dist/cli/main.js'), 'compare'],
      ...[
        folder('before', scan([...lungs, upper, lower])),
        folder('after', moved(scan([...lungs, grown, fresh]))),
      ],
      ...['--segmenter', join(root, 'models/threshold-above--700.safetensors'), '--slice-threshold', '3'],
      ...['--lungs', join(root, 'models/threshold-below--300.safetensors'), '--out', join(root, 'out')],
    ],
    { encoding: 'utf8' },
  )
  t.equal(status, 0, stderr)
  t.match(stdout, /grown +0\.30 +0\.59 +right, upper third/)
  t.match(JSON.parse(readFileSync(join(root, 'out', 'comparison.json'), 'utf8')), {
    lesions: [{ change: 'grown' }, {}, {}],
  })
  t.match(readFileSync(join(root, 'out', 'comparison.html'), 'utf8'), /What became of each lesion/)
})
