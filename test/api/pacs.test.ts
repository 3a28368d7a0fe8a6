import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { fetchSeries, findSeries, storeInstances } from '../../ts/index'
import { ctSlice, element } from './dicom-files'
import { address, isInstance, oneSeries, slices, status, study, unless } from './pacs-answers'
import { type Answer, archive, dataset, json, multipart, multipartType, standIn } from './pacs-stand-in'

t.test('a series is fetched, each instance as the archive has it', async (t) => {
  await using server = await standIn(oneSeries)
  const directory = join(t.testdir({}), 'new')
  const phases: string[] = []
  const fetched = await fetchSeries(server.pacs, address, directory, {
    onProgress: ({ phase, done, total }) => phases.push(`${phase} ${done}/${total}`),
  })
  t.match(fetched, { study, series: '1.2.3', fetched: 6, warnings: [] })
  t.same(
    readdirSync(directory).sort(),
    Object.keys(slices)
      .map((uid) => `${uid}.dcm`)
      .sort(),
  )
  for (const [uid, bytes] of Object.entries(slices))
    t.ok(readFileSync(join(directory, `${uid}.dcm`)).equals(bytes))
  t.equal(phases.at(-1), 'fetch 6/6')
  const asked = server.asked.filter(isInstance)
  t.equal(asked.length, 6)
  t.ok(
    asked.every(
      ({ headers }) => headers.accept === 'multipart/related; type="application/dicom"; transfer-syntax=*',
    ),
    'in whatever transfer syntax it has: an archive would convert it otherwise',
  )
})

t.test('answers come in whatever pieces', async (t) => {
  const directory = t.testdir({})
  const large = ctSlice({
    number: 0,
    position: [0, 0, 0],
    change: [element('7FE00010', 'OW', randomBytes(300_000))],
  })
  const whole = multipart(large)
  const inPieces =
    (size: number): Answer =>
    (response) => {
      response.writeHead(200, { 'content-type': multipartType })
      for (let start = 0; start < whole.length; start += size)
        response.write(whole.subarray(start, start + size))
      response.end()
    }
  const zipped: Answer = (response) =>
    response
      .writeHead(200, { 'content-type': multipartType, 'content-encoding': 'gzip' })
      .end(gzipSync(whole))
  const alone: Answer = (response) =>
    response.writeHead(200, { 'content-type': 'application/dicom' }).end(large)
  const answers = [inPieces(1e6), inPieces(65_536), inPieces(977), inPieces(61), zipped, alone]
  for (const [index, answer] of answers.entries()) {
    await using server = await standIn(
      unless((asked) => (isInstance(asked) && asked.path.endsWith('1.2.3.0') ? answer : undefined)),
    )
    const path = join(directory, String(index))
    await fetchSeries(server.pacs, address, path)
    t.ok(readFileSync(join(path, '1.2.3.0.dcm')).equals(large), `answer ${index}`)
  }
})

t.test('what is there is not fetched again', async (t) => {
  const directory = t.testdir({})
  await using server = await standIn(
    unless((asked) => (isInstance(asked) && asked.path.endsWith('1.2.3.4') ? status(403) : undefined)),
  )
  await t.rejects(fetchSeries(server.pacs, address, directory), { code: 'PACS_UNAUTHORIZED' })
  const before = readdirSync(directory)
  t.ok(before.length >= 4 && before.every((name) => name.endsWith('.dcm')), 'whole files alone are left')
  await using mended = await standIn(oneSeries)
  t.match(await fetchSeries(mended.pacs, address, directory), { fetched: 6 - before.length })
  t.equal(mended.asked.filter(isInstance).length, 6 - before.length)
  t.equal(readdirSync(directory).length, 6)
})

t.test('lists come page by page, of whatever size', async (t) => {
  const uids = Array.from({ length: 25 }, (_, index) => `1.5.${index}`)
  const series = (uid: string) =>
    dataset({ '00080060': 'CT', '0020000D': study, '0020000E': uid, '00201209': 7 })
  await using server = await standIn((response, { path }) => {
    const offset = Number(new URL(path, 'http://pacs').searchParams.get('offset'))
    json(response, uids.slice(offset, offset + 10).map(series))
  })
  const found = await findSeries(server.pacs, { modality: 'CT', studyDate: '20261101-' })
  t.same(
    found.map(({ uid }) => uid),
    uids,
  )
  t.match(found[0], { studyUid: study, modality: 'CT', instances: 7 })
  t.match(server.asked[0]!.path, /^series\?Modality=CT&StudyDate=20261101-&includefield=/)

  await using stubborn = await standIn((response) => json(response, uids.map(series)))
  t.equal((await findSeries(stubborn.pacs)).length, 25, 'a server that knows no pages gives the same again')

  let next = 0
  await using endless = await standIn((response) =>
    json(
      response,
      Array.from({ length: 5000 }, () => series(`1.6.${next++}`)),
    ),
  )
  await t.rejects(findSeries(endless.pacs), { code: 'PACS_ANSWER_INVALID', message: /more than 100000/ })
})

t.test('an empty list has many forms', async (t) => {
  const directory = t.testdir({})
  for (const answer of [
    status(204),
    status(404),
    status(200),
    (response) => json(response, []),
  ] as Answer[]) {
    await using server = await standIn(answer)
    t.same(await findSeries(server.pacs, { study }), [])
    await t.rejects(fetchSeries(server.pacs, address, directory), {
      code: 'EMPTY_DATASET',
      message: /no CT series of study 1\.2/,
    })
  }
})

t.test('the scan of a study is chosen: axial, no localizer, the largest of them', async (t) => {
  const directory = t.testdir({})
  const instances = (series: string, count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, number) => [
        `${series}.${number}`,
        ctSlice({ number, uid: `${series}.${number}`, series, position: [0, 0, number] }),
      ]),
    )
  const all = {
    '1.2.7': instances('1.2.7', 5),
    '1.2.8': instances('1.2.8', 3),
    '1.2.9': instances('1.2.9', 9),
    '1.2.6': instances('1.2.6', 7),
  }
  const metadata: Record<string, unknown> = {
    '1.2.7': dataset({ '00080008': ['ORIGINAL', 'PRIMARY', 'LOCALIZER'] }),
    '1.2.8': dataset({ '00080016': '1.2.840.10008.5.1.4.1.1.2', '00200037': [1, 0, 0, 0, 1, 0] }),
    '1.2.9': dataset({ '00200037': [1, 0, 0, 0, 0, -1] }),
    '1.2.6': dataset({ '00080016': '1.2.840.10008.5.1.4.1.1.7' }),
  }
  await using server = await standIn((response, asked) => {
    const series = /series\/([\d.]+)\/.*metadata/.exec(asked.path)?.[1]
    if (series) json(response, [metadata[series]])
    else archive(study, all)(response, asked)
  })
  const chosen = await fetchSeries(server.pacs, address, directory)
  t.match(chosen, { series: '1.2.8', fetched: 3 })
  t.match(chosen.warnings, [
    /The study has 4 CT series; the largest axial one, 1\.2\.8 \(3 instances\), was taken/,
  ])
  const named = await fetchSeries(server.pacs, { study, series: '1.2.9' }, directory)
  t.match(named, { series: '1.2.9', fetched: 9, warnings: [] })
  await t.rejects(fetchSeries(server.pacs, { study, series: '1.2.5' }, directory), {
    code: 'INVALID_ARGUMENT',
    message: /has no CT series 1\.2\.5; it has .*1\.2\.8/,
  })
})

t.test('a fetch can be cancelled, and leaves whole files alone', async (t) => {
  const directory = t.testdir({})
  // In the order of the list; servers may answer in another.
  const isAnswered = (path: string) => path.endsWith('1.2.3.0') || path.endsWith('1.2.3.1')
  await using server = await standIn(
    unless((asked) => (isInstance(asked) && !isAnswered(asked.path) ? () => {} : undefined)),
  )
  const run = fetchSeries(server.pacs, address, directory)
  const stopped = (async () => {
    for await (const { done } of run) if (done === 2) run.cancel()
  })()
  await t.rejects(stopped, { code: 'CANCELLED' })
  t.ok(readdirSync(directory).every((name) => name.endsWith('.dcm')))
})

t.test('storing tells of each instance what became of it', async (t) => {
  const listed = new Set<string>()
  const uidOf = (body: Buffer) => /1\.2\.3\.\d/.exec(body.toString('latin1'))![0]
  const failed = (uid: string, reason: number) =>
    dataset({ '00081198': [dataset({ '00081155': uid, '00081197': reason })] })
  const tries: Record<string, number> = {}
  await using server = await standIn((response, { method, path, body, headers }) => {
    if (method === 'GET') {
      const uid = new URL(path, 'http://pacs').searchParams.get('SOPInstanceUID')!
      return json(response, listed.has(uid) ? [dataset({ '00080018': uid })] : [])
    }
    t.equal(path, 'studies')
    t.equal(Number(headers['content-length']), body.length, 'with a length')
    t.match(headers['content-type'], /^multipart\/related; type="application\/dicom"; boundary=/)
    const uid = uidOf(body)
    tries[uid] = (tries[uid] ?? 0) + 1
    if (uid === '1.2.3.1') return json(response, failed(uid, 0xa700))
    if (uid === '1.2.3.2') {
      listed.add(uid) // as if it had been there
      return json(response, failed(uid, 0x0111), 409)
    }
    if (uid === '1.2.3.3') return json(response, {}) // and keeps nothing
    if (uid === '1.2.3.4') return void response.writeHead(413).end()
    if (uid === '1.2.3.5' && tries[uid] === 1) return response.destroy()
    listed.add(uid)
    json(response, dataset({ '00081199': [] }))
  })
  const stored = await storeInstances(server.pacs, Object.values(slices))
  t.same(
    stored.map(({ instanceUid, stored }) => [instanceUid, stored]),
    [
      ['1.2.3.0', true],
      ['1.2.3.1', false],
      ['1.2.3.2', true],
      ['1.2.3.3', false],
      ['1.2.3.4', false],
      ['1.2.3.5', true],
    ],
  )
  t.ok(stored.every(({ sopClassUid }) => sopClassUid === '1.2.840.10008.5.1.4.1.1.2'))
  t.match(stored[1]!.reason, /^The PACS did not store it: it is out of resources \(A700\)\.$/)
  t.match(stored[3]!.reason, /it answered that it did, and does not list it/)
  t.match(stored[4]!.reason, /answered 413/)
  t.equal(stored[0]!.reason, undefined)
  const sent = server.asked.find(({ method }) => method === 'POST')!
  t.ok(sent.body.includes(slices['1.2.3.0']!), 'byte by byte')
})
