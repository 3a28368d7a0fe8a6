import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  type Case,
  createModel,
  type Diagnosis,
  type DicomSegmentationOptions,
  diagnose,
  diagnosisDocument,
  dicomReport,
  dicomSegmentation,
  disclaimer,
  type LungPart,
  openCase,
} from '../../ts'
import { element, filesOf, writeFiles } from './dicom-files'
import { count, lower, lungs, networks, scan, upper, voxelMl, voxels } from './lung-scan'
import {
  allItems,
  dsrdump,
  groupOf,
  groupsOf,
  numbersOf,
  type ReadReport,
  readReport,
  valuesOf,
} from './report-readers'
import {
  frameOfReference,
  isOf,
  model,
  outline,
  refusesAsFound,
  refusesOtherCases,
  series,
} from './segmentation-cases'
import { dciodvfyMissing, errorsOfDciodvfy, readSegmentation } from './segmentation-readers'
import { sharedData } from './shared-data'
import { classifierSpec } from './small'

const enhancedSr = '1.2.840.10008.5.1.4.1.1.88.22'
const digits = (value: number) => Number(value.toPrecision(6))

/** The chest of boxes in `root`, and its diagnosis. */
async function chest(t: Test, root: string, boxes = [...lungs, lower, upper]) {
  const made = await networks(root)
  const slices = scan(boxes).map((slice) => ({ ...slice, change: [...slice.change!, frameOfReference] }))
  const opened = openCase(writeFiles(join(root, 'case'), filesOf(slices)))
  t.teardown(async () => {
    opened.dispose()
    await Promise.all([made.lungs.dispose(), made.segmenter.dispose()])
  })
  const diagnosis = await diagnose(made, opened, { sliceThreshold: 5 })
  return { opened, diagnosis, made }
}

/** Writes a segmentation and its report, and reads both with pydicom. */
async function write(diagnosis: Diagnosis, opened: Case, root: string, options?: DicomSegmentationOptions) {
  const path = join(root, 'report.dcm')
  const segmentation = options && (await dicomSegmentation(diagnosis, opened, options))
  if (segmentation) writeFileSync(join(root, 'seg.dcm'), segmentation)
  writeFileSync(path, await dicomReport(diagnosis, opened, segmentation ? { segmentation } : {}))
  return { path, report: readReport(path), seg: segmentation && readSegmentation(join(root, 'seg.dcm')) }
}

const partOf = ({ lungVolumeMl, lesionVolumeMl, percent }: LungPart) => ({
  '118565006': [digits(lungVolumeMl), 'ml'],
  'lesion-volume': [digits(lesionVolumeMl), 'ml'],
  'lesion-percent': [digits(percent), '%'],
})

const evaluations = ({ tree }: ReadReport) => tree.content.find(({ concept }) => concept![0] === 'C0034375')!

t.test('each segment has a group with its tracking UID and what was measured of it', async (t) => {
  const root = t.testdir()
  const { opened, diagnosis } = await chest(t, root)
  const { involvement } = diagnosisDocument(diagnosis, opened.names)
  const { report, seg } = await write(diagnosis, opened, root, { perLesion: true })
  t.match(report, {
    SOPClassUID: enhancedSr,
    Modality: 'SR',
    StudyInstanceUID: '1.2',
    PatientName: 'Doe^Jane',
    PatientID: 'PATIENT-4711',
    CompletionFlag: 'COMPLETE',
    VerificationFlag: 'UNVERIFIED',
    PreliminaryFlag: 'PRELIMINARY',
    schemes: ['99JCSCT'],
  })
  t.same(report.tree.concept, ['126000', 'DCM', 'Imaging Measurement Report'])
  t.equal(report.tree.template, '1500')
  for (const { number, label, trackingUid } of seg!.segments) {
    const group = groupOf(report, label)
    t.equal(group.template, '1411')
    t.same(valuesOf(group, '112040'), [trackingUid], label)
    t.same(valuesOf(group, '121191'), [
      { sopClass: '1.2.840.10008.5.1.4.1.1.66.4', instance: seg!.SOPInstanceUID, segment: number },
    ])
    t.same(valuesOf(group, '121232'), ['1.2.3'], 'the source series')
    t.same(valuesOf(group, '111003'), [diagnosis.version])
  }
  const whole = groupOf(report, 'Lungs')
  t.same(numbersOf(whole), {
    ...partOf(involvement!),
    'lesion-outside': [digits(involvement!.lesionOutsideLungsMl), 'ml'],
    '246206008': [2, '1'],
    severity: [involvement!.severityScore, '1'],
    slices: [count, '1'],
  })
  t.same(valuesOf(whole, '121071'), [['39607008', 'SCT', 'Lung']])
  // The boxes say what lesions are, whatever the diagnosis does.
  for (const [label, box, hu, side, third] of [
    ['Lesion 1', upper, -500, '24028007', 'upper-third'],
    ['Lesion 2', lower, -400, '7771000', 'lower-third'],
  ] as const) {
    const group = groupOf(report, label)
    t.same(numbersOf(group), {
      '118565006': [digits(voxels(box) * voxelMl), 'ml'],
      '112031': [hu, "[hnsf'U]"],
      slices: [box.z[1] - box.z[0], '1'],
    })
    t.same(valuesOf(group, '121071'), [['52988006', 'SCT', 'Lesion']])
    const site = group.content.find(({ concept }) => concept![0] === '363698007')!
    t.same(site.value, ['39607008', 'SCT', 'Lung'])
    t.match(valuesOf(site, '272741003'), [[side, 'SCT']])
    t.match(valuesOf(site, '106233006'), [[third, '99JCSCT']])
    const attenuation = group.content.find(({ concept }) => concept![0] === '112031')!
    t.same(valuesOf(attenuation, '121401'), [['373098007', 'SCT', 'Mean']])
    const hash = diagnosis.models.find(({ role }) => role === 'segmenter')!.sha256
    t.match(valuesOf(group, '111002'), [new RegExp(`^segmenter unet, SHA-256 .*: ${hash}$`)])
  }
})

t.test('parts of the lungs and the case have groups of their own', async (t) => {
  const root = t.testdir()
  const { opened, diagnosis } = await chest(t, root)
  const { report } = await write(diagnosis, opened, root, { emptyFrames: true })
  const { sides, regions, lesionVolumeMl, lesionOutsideLungsMl } = diagnosis.involvement!
  const named = { left: 'Left', right: 'Right' }
  for (const part of sides) t.same(numbersOf(groupOf(report, `${named[part.side]} lung`)), partOf(part))
  for (const part of regions)
    t.same(numbersOf(groupOf(report, `${named[part.side]} lung, ${part.third} third`)), partOf(part))
  t.same(numbersOf(groupOf(report, 'Case')), {
    'positive-slices': [diagnosis.positiveSlices, '1'],
    'total-slices': [count, '1'],
    'slice-threshold': [5, '1'],
    'min-lesion-area': [5, 'mm2'],
  })
  const all = numbersOf(groupOf(report, 'Lesions'))['118565006']
  t.same(all, [digits(lesionVolumeMl + lesionOutsideLungsMl), 'ml'], 'of the whole segment')
  t.equal(groupsOf(report).length, 2 + sides.length + regions.length + 1)
  const { report: alone } = await write(diagnosis, opened, root)
  t.equal(groupsOf(alone).length, 1 + sides.length + regions.length + 1)
  t.match(numbersOf(groupOf(alone, 'Both lungs')), partOf(diagnosis.involvement!))
  t.same(valuesOf(evaluations(report), 'decision'), [['10828004', 'SCT', 'Positive']])
  t.match(valuesOf(evaluations(report), 'basis'), [/more than 5 mm²/])
  t.equal(valuesOf(evaluations(report), '121106')[0], `${disclaimer}.`, 'what a reader sees')
})

t.test('every instance that the tree refers to is evidence, and each source is in the library', async (t) => {
  const root = t.testdir()
  const { opened, diagnosis } = await chest(t, root)
  const { report, seg } = await write(diagnosis, opened, root, {})
  const sources = Array.from({ length: count }, (_, number) => `1.2.3.${number}`)
  t.same(report.evidence, [
    ...sources.map((instance) => ['1.2', '1.2.3', instance]),
    ['1.2', seg!.SeriesInstanceUID, seg!.SOPInstanceUID],
  ])
  const images = allItems(report.tree).filter(({ type }) => type === 'IMAGE')
  const instances = images.map(({ value }) => (value as { instance: string }).instance)
  t.same(instances.slice(0, count), sources, 'the image library')
  t.same(new Set(instances), new Set(report.evidence.map(([, , instance]) => instance)))
  const observer = report.tree.content.filter(({ relationship }) => relationship === 'HAS OBS CONTEXT')
  t.match(
    observer.map(({ concept, value }) => [concept![0], value]),
    [
      ['121005', ['121007', 'DCM', 'Device']],
      ['121012', /^2\.25\./],
      ['121013', `jcs-ct ${diagnosis.version}`],
      ['121014', 'jcs-ct'],
      ['121015', 'jcs-ct'],
    ],
  )
  t.match(valuesOf(report.tree, '121058'), [['169069000', 'SCT']])
})

t.test(
  'DCMTK reads it without a warning, dciodvfy without an error',
  { skip: dciodvfyMissing },
  async (t) => {
    const root = t.testdir()
    const { opened, diagnosis } = await chest(t, root)
    for (const options of [undefined, {}, { perLesion: true }]) {
      const { path } = await write(diagnosis, opened, root, options)
      const { text, complaints } = dsrdump(path)
      t.equal(complaints, '')
      t.match(text, /Enhanced SR Document[\s\S]*126000,DCM,"Imaging Measurement Report"/)
      t.same(errorsOfDciodvfy(path), ['EnhancedSR'])
    }
  },
)

t.test('what was not found or not looked for is said, and has no segment', async (t) => {
  const root = t.testdir()
  const directory = writeFiles(join(root, 'case'), filesOf(series(4, {})))
  using opened = openCase(directory)
  const said = async (diagnosis: Diagnosis, options?: DicomSegmentationOptions) => {
    const { report, path } = await write(diagnosis, opened, root, options)
    if (!dciodvfyMissing) t.same(errorsOfDciodvfy(path), ['EnhancedSR'])
    const references = allItems(report.tree).filter(({ concept }) => concept?.[0] === '121191').length
    const of = (code: string) => valuesOf(evaluations(report), code)
    return { references, lungs: of('39607008'), lesions: of('52988006') }
  }
  const none = { lesions: () => false, lungs: isOf.lungs }
  t.match(await said(await outline(opened, none), {}), {
    references: 1,
    lungs: [],
    lesions: [/No lesion was found: no pixel/],
  })
  t.match(await said(await outline(opened, { ...none, lungs: () => false })), {
    references: 0,
    lungs: [/No lung was found/],
    lesions: [/No lesion was found/],
  })
  t.match(await said(await outline(opened, isOf, false), {}), {
    references: 1,
    lungs: [/no lung model was given/],
    lesions: [],
  })
  const outside = { lesions: isOf.lesions, lungs: (hu: number) => hu < -500 }
  t.match(await said(await outline(opened, outside), { perLesion: true }), {
    references: 1,
    lesions: [/none was found inside the lungs/],
  })
})

t.test('a case that the classifier finds negative has a report without segments', async (t) => {
  const root = t.testdir()
  const { opened, made } = await chest(t, root)
  await using classifier = await createModel(classifierSpec)
  const models = { classifier, segmenter: made.segmenter }
  const diagnosis = await diagnose(models, opened, { sliceThreshold: { millimetres: 100 } })
  t.equal(diagnosis.positive, false)
  const { report, path } = await write(diagnosis, opened, root)
  t.same(valuesOf(evaluations(report), 'decision'), [['260385009', 'SCT', 'Negative']])
  t.match(valuesOf(evaluations(report), 'basis'), [/classifier/])
  t.match(valuesOf(evaluations(report), '52988006'), [/classifier found the case negative/])
  const highest = Math.max(...diagnosis.slices.map(({ classification }) => classification!.probability))
  t.same(numbersOf(groupOf(report, 'Case')), {
    'positive-slices': [diagnosis.positiveSlices, '1'],
    'total-slices': [count, '1'],
    'slice-threshold': [50, '1'],
    'threshold-mm': [100, 'mm'],
    'max-probability': [digits(highest), '1'],
  })
  t.equal(groupsOf(report).length, 1)
  if (!dciodvfyMissing) t.same(errorsOfDciodvfy(path), ['EnhancedSR'])
})

t.test('UIDs follow from what is said', async (t) => {
  const root = t.testdir()
  const { opened, diagnosis } = await chest(t, root)
  const { report: first } = await write(diagnosis, opened, root, {})
  const { report: again } = await write(diagnosis, opened, root, {})
  t.same(again, first)
  t.match(first.SOPInstanceUID, /^2\.25\.[1-9]\d{30,38}$/)
  const others = [
    await write(diagnosis, opened, root),
    await write(diagnosis, opened, root, { perLesion: true }),
    await write({ ...diagnosis, positiveSlices: 9 }, opened, root, {}),
  ]
  const uids = [first, ...others.map(({ report }) => report)].map(({ SOPInstanceUID }) => SOPInstanceUID)
  t.equal(new Set(uids).size, 4)
})

t.test('names in any characters, warnings and notices', async (t) => {
  const root = t.testdir()
  const change = [
    element('00080005', 'CS', 'ISO_IR 192'),
    element('00100010', 'PN', Buffer.from('Wáng^小东')),
  ]
  using opened = openCase(writeFiles(join(root, 'case'), filesOf(series(2, {}, () => ({ change })))))
  const diagnosis = { ...(await outline(opened)), warnings: ['Ä warning.'], notices: ['A notice of 模型.'] }
  const { report } = await write(diagnosis, opened, root, {})
  t.equal(report.PatientName.replace(/=*$/, ''), 'Wáng^小东')
  t.same(valuesOf(evaluations(report), '121106'), [`${disclaimer}.`, 'A notice of 模型.', 'Ä warning.'])
  t.match(valuesOf(groupOf(report, 'Lesions'), '111002'), [new RegExp(model.sha256)])
})

t.test('what cannot be filed, or is not of the case, is refused', async (t) => {
  const root = t.testdir()
  const { opened, diagnosis } = await chest(t, root)
  const rejects = (options: object, code: string, message: RegExp, of = diagnosis) =>
    t.rejects(dicomReport(of, opened, options), { code, message })
  await rejects({ perLesion: true }, 'INVALID_ARGUMENT', /has no option 'perLesion'/)
  await rejects({ segmentation: 'seg.dcm' }, 'INVALID_TYPE', /segmentation must be the bytes/)
  await rejects({ segmentation: new Uint8Array(200) }, 'CORRUPT_FILE', /the segmentation cannot be decoded/)
  const segmentation = await dicomSegmentation(diagnosis, opened)
  const labelMap = await dicomSegmentation(diagnosis, opened, { type: 'labelmap' })
  await rejects({ segmentation: labelMap }, 'INVALID_ARGUMENT', /label map.*type 'binary', or none/)
  const otherModel = { ...diagnosis, models: [{ ...diagnosis.models[0]!, sha256: 'cd'.repeat(32) }] }
  await rejects({ segmentation }, 'INVALID_ARGUMENT', /not one that dicomSegmentation/, otherModel)
  await refusesOtherCases(t, dicomReport, diagnosis, opened)
})

t.test('a real case', { skip: sharedData.missing }, async (t) => {
  const root = t.testdir()
  await refusesAsFound(t, dicomReport)
  using opened = openCase(sharedData.path('dicom/covid-ct-md/normal-001'))
  const lesions = (hu: number) => hu > 300
  const diagnosis = await outline(opened, { lesions, lungs: isOf.lungs })
  const { report, seg, path } = await write(diagnosis, opened, root, {})
  for (const { label, trackingUid, number } of seg!.segments) {
    const group = groupOf(report, label)
    t.same(valuesOf(group, '112040'), [trackingUid])
    const frames = seg!.frames.filter(({ segment }) => segment === number)
    t.same(numbersOf(group).slices, [frames.length, '1'])
  }
  t.equal(report.evidence.length, diagnosis.slices.length + 1)
  if (dciodvfyMissing) return
  t.same(errorsOfDciodvfy(path), ['EnhancedSR'])
  t.equal(dsrdump(path).complaints, '')
})
