import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { dicomReport, dicomSegmentation, openCase, writeWithNewUids } from '../../ts'
import { type CtSlice, ctElements, element, encodeDicom, filesOf, writeFiles } from './dicom-files'
import { lungs, networks, scan, upper } from './lung-scan'
import { readReport } from './report-readers'
import { frameOfReference, isOf, outline, series } from './segmentation-cases'
import { dciodvfyMissing, errorsOfDciodvfy, readSegmentation } from './segmentation-readers'
import { sharedData } from './shared-data'
import { repositoryRoot } from './small'

interface Pair {
  different: string[]
  samePixels: boolean
  /** Of study, series, frame of reference and instance. */
  uids: [string, string, string, string]
  valid: boolean
  meta: boolean[]
}

/** What pydicom says: see test/readers/restamped_values.py. */
function compare(old: string, copies: string): Pair[] {
  const script = join(repositoryRoot, 'test/readers/restamped_values.py')
  const text = execFileSync('/usr/bin/python3', [script, old, copies], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return JSON.parse(text)
}

async function restamp(t: Test, from: string, to: string): Promise<Pair[]> {
  using opened = openCase(from)
  const paths = await writeWithNewUids(opened, to)
  t.same(
    paths.map((path) => basename(path)),
    readdirSync(to).sort(),
  )
  return compare(from, to)
}

/** Everything but UIDs is as it was, and these are those of one series. */
function isRestamped(t: Test, pairs: readonly Pair[], different: readonly string[], name: string) {
  for (const pair of pairs) {
    t.same(pair.different, different, `${name}: no other element`)
    t.match(pair, { samePixels: true, valid: true, meta: [true, true, true] }, name)
  }
  for (const level of [0, 1, 2]) t.equal(new Set(pairs.map(({ uids }) => uids[level])).size, 1)
  t.equal(new Set(pairs.flatMap(({ uids }) => uids)).size, pairs.length + 3, 'no UID twice')
}

const all = ['FrameOfReferenceUID', 'SOPInstanceUID', 'SeriesInstanceUID', 'StudyInstanceUID']

t.test('copies differ in their UIDs alone, whether these were there, invalid or missing', async (t) => {
  const root = t.testdir()
  const empty = [
    element('00080018', 'UI', ''),
    element('0020000D', 'UI', '896911bf-1143-4c8d'),
    element('00200052', 'UI', ''),
  ]
  const without = (slice: CtSlice) =>
    encodeDicom(ctElements(slice).filter(({ tag }) => !['00200052', '00080018'].includes(tag)))
  const folders = {
    whole: filesOf(series(5, {})),
    empty: filesOf(series(5, {}, () => ({ change: empty }))),
    missing: Object.fromEntries(
      series(5, {}, () => ({ change: [] })).map((slice, index) => [`${index}`, without(slice)]),
    ),
  }
  for (const [name, files] of Object.entries(folders)) {
    const directory = writeFiles(join(root, name), files)
    isRestamped(t, await restamp(t, directory, join(root, `${name}-copies`)), all, name)
  }
  const first = compare(join(root, 'whole'), join(root, 'whole-copies'))
  t.same(await restamp(t, join(root, 'whole'), join(root, 'again')), first, 'the same again')
  if (dciodvfyMissing) return
  // Implicit and compressed ones, as DCMTK writes them.
  for (const [name, [program, flag]] of [
    ['implicit', ['dcmconv', '+ti']],
    ['rle', ['dcmcrle', '--uid-never']],
  ] as const) {
    mkdirSync(join(root, name))
    for (const file of readdirSync(join(root, 'whole')))
      execFileSync(program, [flag, join(root, 'whole', file), join(root, name, file)])
    isRestamped(t, await restamp(t, join(root, name), join(root, `${name}-copies`)), all, name)
  }
})

t.test('results refer to the copies', { skip: sharedData.missing }, async (t) => {
  const root = t.testdir()
  const found = sharedData.path('dicom/covid-ct-md/covid-P002')
  const pairs = await restamp(t, found, join(root, 'copies'))
  isRestamped(t, pairs, all, 'covid-P002')
  using opened = openCase(join(root, 'copies'))
  const diagnosis = await outline(opened, isOf, false)
  const segmentation = await dicomSegmentation(diagnosis, opened)
  const path = join(root, 'seg.dcm')
  writeFileSync(path, segmentation)
  const seg = readSegmentation(path)
  const [study, ofSeries, frame] = pairs[0]!.uids
  t.match(seg, { StudyInstanceUID: study, FrameOfReferenceUID: frame })
  const instances = pairs.map(({ uids }) => uids[3])
  t.same(seg.referenced, [[ofSeries, instances]])
  writeFileSync(join(root, 'report.dcm'), await dicomReport(diagnosis, opened, { segmentation }))
  const evidence = readReport(join(root, 'report.dcm')).evidence.map(([, , instance]) => instance)
  t.same(evidence, [...instances, seg.SOPInstanceUID])
  if (!dciodvfyMissing) t.same(errorsOfDciodvfy(path), ['Segmentation'])
})

t.test('the command diagnoses the copies', async (t) => {
  const root = t.testdir({ case: {} })
  const { segmenter, lungs: lungModel } = await networks(root)
  const model = join(root, 'segmenter.safetensors')
  await segmenter.save(model)
  await Promise.all([segmenter.dispose(), lungModel.dispose()])
  writeFiles(join(root, 'case'), filesOf(scan([...lungs, upper])))
  const [seg, copies] = [join(root, 'seg.dcm'), join(root, 'copies')]
  const main = join(repositoryRoot, 'dist/cli/main.js')
  const command = [main, 'diagnose', join(root, 'case'), '-s', model, '--slice-threshold', '7', '--seg', seg]
  const run = (...more: string[]) => spawnSync(process.execPath, [...command, ...more], { encoding: 'utf8' })
  t.match(run(), { status: 2, stderr: /FrameOfReferenceUID of the series is missing.*--new-uids/s })
  const { status, stdout, stderr } = run('--new-uids', copies, '--series', '1.2.3')
  t.equal(status, 0, stderr)
  t.notMatch(stdout + stderr, /Doe|PATIENT-4711|19610203/)
  const pairs = compare(join(root, 'case'), copies)
  t.match(readSegmentation(seg), { StudyInstanceUID: pairs[0]!.uids[0], PatientName: 'Doe^Jane' })
})

t.test('what has no UIDs, or is not written, is refused', async (t) => {
  const root = t.testdir()
  const picture = { data: new Uint8Array(64 * 64), width: 64, height: 64 }
  using pictures = openCase([picture])
  await t.rejects(writeWithNewUids(pictures, join(root, 'a')), {
    code: 'INVALID_ARGUMENT',
    message: /not a DICOM series/,
  })
  if (dciodvfyMissing) return
  const [slice] = series(1, {}, () => ({ change: [frameOfReference] }))
  const directory = writeFiles(join(root, 'case'), filesOf([slice!]))
  const [file] = readdirSync(directory)
  execFileSync('dcmconv', ['+tb', join(directory, file!), join(root, 'big')])
  using big = openCase(join(root, 'big'))
  await t.rejects(writeWithNewUids(big, join(root, 'b')), {
    code: 'UNSUPPORTED_FORMAT',
    message: /Explicit VR Big Endian, which is not written/,
  })
})
