import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createModel, type Diagnosis, dicomSegmentation, openCase } from '../../ts'
import { type CtSlice, ctElements, ctSlice, element, encodeDicom, filesOf, writeFiles } from './dicom-files'
import { lungs, networks, scan, upper } from './lung-scan'
import { groupOf, groupsOf, readReport, valuesOf } from './report-readers'
import { frameOfReference, isOf, outline, series, write } from './segmentation-cases'
import { dciodvfyMissing, dcmdump, readSegmentation } from './segmentation-readers'
import { sharedData } from './shared-data'
import { classifierSpec, repositoryRoot } from './small'

t.test('UIDs follow from what is outlined in what, and by what', async (t) => {
  const root = t.testdir()
  const directory = writeFiles(join(root, 'case'), filesOf(series(4, {})))
  const first = await write(directory, join(root, 'a.dcm'))
  const again = await write(directory, join(root, 'b.dcm'))
  t.equal(again.SOPInstanceUID, first.SOPInstanceUID)
  t.equal(again.SeriesInstanceUID, first.SeriesInstanceUID)
  t.same(again.segments, first.segments)
  for (const uid of [first.SOPInstanceUID, first.SeriesInstanceUID]) {
    t.match(uid, /^2\.25\.[1-9]\d{30,38}$/)
    t.ok(BigInt(uid.slice(5)) < 2n ** 128n)
  }
  const others = [
    await write(directory, join(root, 'c.dcm'), { emptyFrames: true }),
    await write(directory, join(root, 'd.dcm'), { type: 'labelmap' }),
    await write(directory, join(root, 'e.dcm'), {}, { ...isOf, lesions: (hu) => hu > 300 || hu < -700 }),
  ]
  const uids = new Set([first, ...others].map(({ SOPInstanceUID }) => SOPInstanceUID))
  t.equal(uids.size, 4, 'other files have others')
  using opened = openCase(directory)
  const diagnosis = await outline(opened)
  const models = [{ ...diagnosis.models[0]!, sha256: 'cd'.repeat(32) }]
  writeFileSync(join(root, 'f.dcm'), await dicomSegmentation({ ...diagnosis, models }, opened))
  t.not(readSegmentation(join(root, 'f.dcm')).SeriesInstanceUID, first.SeriesInstanceUID, 'another model')
})

t.test('what cannot be referred to is refused, with the way out', async (t) => {
  const root = t.testdir()
  let cases = 0
  const refused = async (change: CtSlice['change'], message: RegExp, without?: string) => {
    const slice = series(2, {}, () => ({ change: change! })).at(-1)!
    const elements = ctElements(slice).filter(({ tag }) => tag !== without)
    const directory = writeFiles(join(root, `${cases++}`), { slice: encodeDicom(elements) })
    await t.rejects(write(directory, join(root, 'seg.dcm')), { code: 'INVALID_ARGUMENT', message })
  }
  await refused([element('00080018', 'UI', '')], /SOPInstanceUID of 'slice' is missing.*valid UIDs/)
  await refused([element('00080018', 'UI', '1.2.03')], /SOPInstanceUID of 'slice' is no valid UID/)
  await refused([element('0020000D', 'UI', 'P002')], /StudyInstanceUID of the series is no valid UID/)
  await refused([element('0020000E', 'UI', '1.2.')], /SeriesInstanceUID of the series is no valid UID/)
  await refused([], /FrameOfReferenceUID of the series is missing/, '00200052')
  await refused([], /does not say where in the patient/, '00200032')
  await refused([element('0020000D', 'UI', `1.${'2'.repeat(63)}`)], /StudyInstanceUID/)

  using pictures = openCase([{ data: new Uint8Array(64 * 64), width: 64, height: 64 }])
  const picture = await outline(pictures)
  await t.rejects(dicomSegmentation(picture, pictures), {
    code: 'INVALID_ARGUMENT',
    message: /not a DICOM series.*niftiMask/,
  })
  const directory = writeFiles(join(root, 'case'), filesOf(series(4, {})))
  const rejects = async (options: object, code: string, message: RegExp) =>
    t.rejects(write(directory, join(root, 'seg.dcm'), options), { code, message })
  await rejects({ compression: 'rle' }, 'INVALID_ARGUMENT', /single bits.*labelmap/)
  await rejects({ type: 'fractional' }, 'INVALID_ARGUMENT', /'binary', 'labelmap'/)
  await rejects({ perLesion: 1 }, 'INVALID_TYPE', /perLesion must be true or false/)
  await rejects({ newUids: true }, 'INVALID_ARGUMENT', /has no option 'newUids'/)
  using opened = openCase(directory)
  const diagnosis = await outline(opened)
  const fewer = { ...diagnosis, slices: diagnosis.slices.slice(1) }
  await t.rejects(dicomSegmentation(fewer, opened), { code: 'INVALID_ARGUMENT', message: /were diagnosed/ })
  const negative = { ...diagnosis, slices: diagnosis.slices.map(() => ({})) } as unknown as Diagnosis
  await t.rejects(dicomSegmentation(negative, opened), {
    code: 'INVALID_ARGUMENT',
    message: /nothing was segmented/,
  })
  writeFileSync(join(root, 'other.dcm'), ctSlice({ number: 0, position: [0, 0, 0], series: '1.2.7' }))
  using gone = openCase(join(root, 'case'))
  const diagnosed = await outline(gone)
  for (const name of Object.keys(filesOf(series(4, {}))))
    writeFiles(directory, { [name]: ctSlice({ number: 9, position: [0, 0, 0], series: '1.2.7' }) })
  await t.rejects(dicomSegmentation(diagnosed, gone), { code: 'INVALID_ARGUMENT', message: /was replaced/ })
})

t.test('the patient is named as in the source, in whatever characters, and only there', async (t) => {
  const root = t.testdir()
  const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
  // Latin letters among the Russian ones are the standard's own. PS3.5, H.3.1, H.3.2, I.2 and J.3; and what scanners of other countries write.
  const names: [string, Uint8Array, string][] = [
    ['ISO_IR 100', Buffer.from('Müller^Jörg', 'latin1'), 'Müller^Jörg'],
    ['ISO_IR 192', Buffer.from('Wáng^小东'), 'Wáng^小东'],
    ['ISO_IR 144', hex('bb ee da 63 65 dc d1 79 70 d3'), 'Люк\x63\x65мб\x79\x70г'],
    [
      '\\ISO 2022 IR 87',
      Buffer.concat([
        Buffer.from('Yamada^Tarou='),
        hex('1b 24 42 3b 33 45 44 1b 28 42 5e 1b 24 42 42 40 4f 3a 1b 28 42 3d'),
        hex('1b 24 42 24 64 24 5e 24 40 1b 28 42 5e 1b 24 42 24 3f 24 6d 24 26 1b 28 42'),
      ]),
      'Yamada^Tarou=山田^太郎=やまだ^たろう',
    ],
    [
      'ISO 2022 IR 13\\ISO 2022 IR 87',
      Buffer.concat([
        hex('d4 cf c0 de 5e c0 db b3 3d'),
        hex('1b 24 42 3b 33 45 44 1b 28 4a 5e 1b 24 42 42 40 4f 3a 1b 28 4a'),
      ]),
      'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎',
    ],
    [
      '\\ISO 2022 IR 149',
      Buffer.concat([Buffer.from('Hong^Gildong='), hex('1b 24 29 43 fb f3 5e 1b 24 29 43 d1 ce d4 d7')]),
      'Hong^Gildong=洪^吉洞',
    ],
    [
      'GB18030',
      hex('57 61 6e 67 5e 58 69 61 6f 44 6f 6e 67 3d cd f5 5e d0 a1 b6 ab 3d'),
      'Wang^XiaoDong=王^小东',
    ],
  ]
  for (const [set, bytes, expected] of names) {
    const change = [
      element('00080005', 'CS', set),
      element('00100010', 'PN', bytes),
      element('00080020', 'DA', '20200317'),
      element('00080030', 'TM', '101112.5'),
      element('00080050', 'SH', 'A-17'),
      element('00080090', 'PN', bytes),
      element('00081030', 'LO', 'Thorax'),
      element('00100040', 'CS', 'F'),
      element('00200010', 'SH', 'S-3'),
      element('00282110', 'CS', '01'),
    ]
    const directory = writeFiles(
      join(root, set.replaceAll('\\', '+')),
      filesOf(series(2, {}, () => ({ change }))),
    )
    const read = await write(directory, join(root, 'seg.dcm'))
    const plain = (name: string) => name.replace(/=*$/, '')
    t.equal(plain(read.PatientName), expected, set)
    t.match(read, {
      PatientID: 'PATIENT-4711',
      PatientBirthDate: '19610203',
      PatientSex: 'F',
      StudyDate: '20200317',
      AccessionNumber: 'A-17',
      StudyID: 'S-3',
      StudyDescription: 'Thorax',
      LossyImageCompression: '01',
    })
    t.equal(plain(read.ReferringPhysicianName as string), expected)
    t.match(read.StudyTime, /^101112\.5/)
    if (!dciodvfyMissing) t.match(dcmdump(join(root, 'seg.dcm')), /ISO_IR 192/)
    using opened = openCase(directory)
    const diagnosis = await outline(opened)
    t.notMatch(JSON.stringify([diagnosis, opened.series, opened.warnings, opened]), /PATIENT-4711|19610203/)
  }
  const unknown = series(2, {}, () => ({ change: [element('00080005', 'CS', 'ISO_IR 999')] }))
  const directory = writeFiles(join(root, 'unknown'), filesOf(unknown))
  await t.rejects(write(directory, join(root, 'seg.dcm')), {
    code: 'UNSUPPORTED_FORMAT',
    message: /ISO_IR 999/,
  })
})

t.test('what is longer than DICOM allows is neither cut off nor told', async (t) => {
  const root = t.testdir()
  const id = 'P-1234567890'.repeat(7)
  const change = [
    element('00100010', 'PN', 'N'.repeat(70)),
    element('00100020', 'LO', id),
    element('00080050', 'SH', 'A-1234567890-1234567890'),
  ]
  const directory = writeFiles(join(root, 'case'), filesOf(series(2, {}, () => ({ change }))))
  const told: unknown[] = []
  for (const method of ['log', 'info', 'warn', 'error'] as const)
    t.intercept(console, method, { value: (...words: unknown[]) => told.push(...words) })
  const read = await write(directory, join(root, 'seg.dcm'))
  t.match(read, { PatientName: 'N'.repeat(70), PatientID: id, AccessionNumber: 'A-1234567890-1234567890' })
  t.same(told, [])
})

t.test('a case as it was found, without usable UIDs', { skip: sharedData.missing }, async (t) => {
  using opened = openCase(sharedData.path('dicom/covid-ct-md/covid-P002'))
  const diagnosis = await outline(opened)
  await t.rejects(dicomSegmentation(diagnosis, opened), {
    code: 'INVALID_ARGUMENT',
    message: /no valid UID.*writeWithNewUids.*gives copies of the files valid UIDs/,
  })
})

t.test('the command writes a segmentation, or says why there is none', async (t) => {
  const root = t.testdir({ case: {}, plain: {} })
  const made = await networks(root)
  const files = { lungs: join(root, 'lungs.safetensors'), segmenter: join(root, 'segmenter.safetensors') }
  await made.lungs.save(files.lungs)
  await made.segmenter.save(files.segmenter)
  await Promise.all([made.lungs.dispose(), made.segmenter.dispose()])
  const withFrame = (slices: CtSlice[]) =>
    slices.map((slice) => ({ ...slice, change: [...slice.change!, frameOfReference] }))
  writeFiles(join(root, 'case'), filesOf(withFrame(scan([...lungs, upper]))))
  writeFiles(join(root, 'plain'), filesOf(scan([...lungs, upper])))
  const run = (folder: string, seg: string, ...more: string[]) => {
    const command = [join(repositoryRoot, 'dist/cli/main.js'), 'diagnose', join(root, folder), '--seg', seg]
    const options = ['-s', files.segmenter, '--slice-threshold', '7', ...more]
    const { status, stdout, stderr } = spawnSync(process.execPath, [...command, ...options], {
      encoding: 'utf8',
    })
    t.notMatch(stdout + stderr, /Doe|PATIENT-4711|19610203/)
    return { status, stderr }
  }
  const path = join(root, 'seg.dcm')
  const sr = join(root, 'sr.dcm')
  t.match(
    run('case', path, '--sr', sr, '--key-images', join(root, 'key'), '--lungs', files.lungs, '--json'),
    { status: 0 },
  )
  const read = readSegmentation(path)
  const report = readReport(sr)
  t.same(valuesOf(groupOf(report, 'Lesions'), '112040'), [read.segments[1]!.trackingUid])
  t.same(readdirSync(join(root, 'key')).sort(), ['key-image-1.dcm', 'key-image-2.dcm', 'key-image-3.dcm'])
  t.equal(read.PatientName, 'Doe^Jane')
  t.same(
    read.segments.map(({ label }) => label),
    ['Lungs', 'Lesions'],
  )
  t.same(
    readdirSync(root).filter((name) => name.endsWith('.tmp')),
    [],
  )
  t.match(run('case', path, '--lungs', files.lungs, '--per-lesion', '--labelmap'), { status: 0 })
  const labelmap = readSegmentation(path)
  t.match(labelmap, { SegmentationType: 'LABELMAP', transferSyntax: '1.2.840.10008.1.2.5' })
  t.same(
    labelmap.segments.map(({ label }) => label),
    ['Lungs', 'Lesion 1'],
  )
  t.match(run('case', path, '--sr', sr, '--labelmap'), { status: 2, stderr: /cannot refer to a label map/ })
  // Refused before anything is diagnosed.
  const none = join(root, 'none.dcm')
  t.match(run('plain', none, '--sr', sr), {
    status: 2,
    stderr: /FrameOfReferenceUID of the series is missing/,
  })
  await using classifier = await createModel(classifierSpec)
  await classifier.save(join(root, 'classifier.safetensors'))
  const decided = ['-c', join(root, 'classifier.safetensors'), '--slice-threshold', '30']
  const negative = run('case', none, '--sr', sr, '--key-images', join(root, 'none'), ...decided)
  t.match(negative.stderr, /No key image was written/)
  t.same(readdirSync(join(root, 'none')), [])
  t.match(negative, { status: 0, stderr: /No segmentation was written/ })
  t.notOk(existsSync(none))
  t.equal(groupsOf(readReport(sr)).length, 1, 'and a report without segments')
})
