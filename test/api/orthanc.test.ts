import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as dicomParser from 'dicom-parser'
import t from 'tap'
import { readReference } from '../../ts/dicom'
import {
  type DiagnosisDocument,
  diagnose,
  diagnoseStudy,
  dicomResults,
  fetchSeries,
  findSeries,
  openCase,
  storeInstances,
  writeWithNewUids,
} from '../../ts/index'
import { archivedChest } from './archived-chest'
import { networks } from './lung-scan'
import { type Orthanc, orthancMissing, startOrthanc } from './orthanc'
import { sharedData } from './shared-data'
import { repositoryRoot } from './small'

const missing = orthancMissing

const { study, series, files: chest } = archivedChest('2.25.1001')

/** The bytes of an instance's pixels, as WADO-RS gives the instance. */
async function pixelsFrom(
  { pacs, authorization }: Orthanc,
  uids: { studyUid: string; seriesUid: string; instanceUid: string },
) {
  const { studyUid, seriesUid, instanceUid } = uids
  const answer = await fetch(`${pacs.url}/studies/${studyUid}/series/${seriesUid}/instances/${instanceUid}`, {
    headers: { authorization, accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' },
  })
  const body = Buffer.from(await answer.arrayBuffer())
  const start = body.indexOf('\r\n\r\n') + 4
  return pixelsOf(body.subarray(start, body.lastIndexOf('\r\n--')))
}

function pixelsOf(bytes: Uint8Array): Buffer {
  const dataSet = dicomParser.parseDicom(new Uint8Array(bytes))
  const { dataOffset, length } = dataSet.elements.x7fe00010!
  return Buffer.from(dataSet.byteArray.subarray(dataOffset, dataOffset + length))
}

const classOf = {
  segmentation: '1.2.840.10008.5.1.4.1.1.66.4',
  report: '1.2.840.10008.5.1.4.1.1.88.22',
  keyImage: '1.2.840.10008.5.1.4.1.1.7',
}

t.test('a study is diagnosed by its UID, and its results are with it', { skip: missing }, async (t) => {
  const root = t.testdir({ orthanc: {}, models: {}, case: {} })
  await using orthanc = await startOrthanc(join(root, 'orthanc'))
  const { pacs } = orthanc
  const stored = await storeInstances(pacs, chest)
  t.ok(stored.every(({ stored }) => stored))
  t.match(await findSeries(pacs, { modality: 'CT', studyDate: '20261101-' }), [
    { studyUid: study, uid: series, modality: 'CT', instances: 30 },
  ])
  t.same(await findSeries(pacs, { studyDate: '20261102-' }), [])

  const { lungs: lungModel, segmenter } = await networks(join(root, 'models'))
  await using _lungs = lungModel
  await using _segmenter = segmenter
  const phases = new Set<string>()
  const result = await diagnoseStudy({ segmenter, lungs: lungModel }, pacs, study, {
    sliceThreshold: 3,
    store: true,
    onProgress: ({ phase }) => phases.add(phase),
  })
  t.match(result, { study, series, diagnosis: { positive: true, totalSlices: 30, positiveSlices: 8 } })
  for (const phase of ['fetch', 'decode', 'segment', 'store']) t.ok(phases.has(phase), phase)
  t.same(
    result.stored.map(({ sopClassUid, stored }) => [sopClassUid, stored]),
    [classOf.segmentation, classOf.report, classOf.keyImage, classOf.keyImage, classOf.keyImage].map(
      (uid) => [uid, true],
    ),
  )
  t.same((await findSeries(pacs, { study })).map(({ modality }) => modality).sort(), [
    'CT',
    'OT',
    'SEG',
    'SR',
  ])

  // The same from the files themselves, in their own order.
  for (const [index, slice] of chest.entries()) writeFileSync(join(root, 'case', `${index}`), slice)
  using own = openCase(join(root, 'case'))
  const diagnosis = await diagnose({ segmenter, lungs: lungModel }, own, { sliceThreshold: 3 })
  t.same(result.diagnosis.involvement, diagnosis.involvement)
  const { segmentation, keyImages } = await dicomResults(diagnosis, own)
  for (const bytes of [segmentation!, ...keyImages]) {
    const uids = readReference(bytes, 'a result')
    t.equal(uids.studyUid, study)
    t.ok(
      (await pixelsFrom(orthanc, uids)).equals(pixelsOf(bytes)),
      'its pixels are byte by byte what was made',
    )
  }

  const again = await diagnoseStudy({ segmenter, lungs: lungModel }, pacs, study, {
    sliceThreshold: 3,
    store: true,
  })
  t.same(
    again.stored.map(({ instanceUid }) => instanceUid),
    result.stored.map(({ instanceUid }) => instanceUid),
    'the same results have the same UIDs',
  )
  t.equal((await findSeries(pacs, { study })).length, 4)
  t.match(
    await fetchSeries(pacs, { study }, join(root, 'fetched')),
    { series, fetched: 30 },
    'what was stored is no scan',
  )
})

t.test('who is not known is told so', { skip: missing }, async (t) => {
  await using orthanc = await startOrthanc(t.testdir({}))
  await t.rejects(findSeries({ url: orthanc.pacs.url }), { code: 'PACS_UNAUTHORIZED' })
  await t.rejects(storeInstances({ url: orthanc.pacs.url }, [chest[0]!]), { code: 'PACS_UNAUTHORIZED' })
})

/** Runs `jcs`; gives the JSON that it prints, and all else that it says. */
function jcs(
  ...args: string[]
): Promise<{ status: number | null; document: DiagnosisDocument; said: string }> {
  const child = spawn(process.execPath, [join(repositoryRoot, 'dist/cli/main.js'), ...args, '--json'])
  const out: Buffer[] = []
  const said: Buffer[] = []
  child.stdout.on('data', (chunk) => out.push(chunk))
  child.stderr.on('data', (chunk) => said.push(chunk))
  return new Promise((resolve) =>
    child.on('close', (status) => {
      const text = Buffer.concat(out).toString()
      resolve({
        status,
        document: text === '' ? undefined : JSON.parse(text),
        said: Buffer.concat(said).toString(),
      })
    }),
  )
}

t.test(
  'real studies go from an archive to the archive',
  { skip: missing || sharedData.missing },
  async (t) => {
    const root = t.testdir({ orthanc: {}, copies: {} })
    await using orthanc = await startOrthanc(join(root, 'orthanc'))
    const { pacs, authorization } = orthanc
    const read = (paths: readonly string[]) => paths.map((path) => readFileSync(path))
    const folder = sharedData.path('dicom/covid-ct-md/normal-001')
    const normal = read(readdirSync(folder).map((name) => join(folder, name)))
    using found = openCase(sharedData.path('dicom/covid-ct-md/covid-P002'))
    const covid = read(await writeWithNewUids(found, join(root, 'copies')))
    for (const [name, files, isPositive] of [
      ['normal-001', normal, false],
      ['covid-P002', covid, true],
    ] as const) {
      const { studyUid, seriesUid } = readReference(files[0]!, name)
      const stored = await storeInstances(pacs, files)
      t.ok(
        stored.every(({ stored }) => stored),
        `${name} is there`,
      )
      const { status, document, said } = await jcs(
        ...['diagnose', '--study', studyUid, '--from', String(pacs.url), '--store'],
        ...['--header', `Authorization: ${authorization}`],
      )
      t.equal(status, 0, said)
      t.match(document, { positive: isPositive, totalSlices: files.length }, name)
      t.ok(document.involvement)
      t.ok(document.stored!.length >= 2 && document.stored!.every(({ stored }) => stored))
      t.notOk(said.includes(authorization.slice(6)))
      const listed = await findSeries(pacs, { study: studyUid })
      t.equal(listed.find(({ uid }) => uid === seriesUid)?.instances, files.length)
      t.ok(
        listed.some(({ modality }) => modality === 'SEG') && listed.some(({ modality }) => modality === 'SR'),
      )
    }
  },
)
