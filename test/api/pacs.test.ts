import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { fetchSeries, findSeries, type JcsError, type Pacs, storeInstances } from '../../ts/index'
import { ctSlice, element } from './dicom-files'
import { type Answer, archive, dataset, json, multipart, multipartType, standIn } from './pacs-stand-in'
import { repositoryRoot } from './small'

const study = '1.2'
const slices = Object.fromEntries(
  Array.from({ length: 6 }, (_, number) => [
    `1.2.3.${number}`,
    ctSlice({ number, position: [0, 0, number] }),
  ]),
)
const oneSeries = archive(study, { '1.2.3': slices })
const address = { study }

/** Answers as `usual` does, but where `odd` does it. */
const unless = (
  odd: (asked: Parameters<Answer>[1], nth: number) => Answer | undefined,
  usual = oneSeries,
): Answer => {
  let count = 0
  return (response, asked) => (odd(asked, count++) ?? usual)(response, asked)
}
const isInstance = ({ path }: { path: string }) => /\/instances\/[^/]+$/.test(path)
/** Instead of the first instance that is asked for, and each time after. */
const instead = (answer: Answer): Answer => unless((asked) => (isInstance(asked) ? answer : undefined))
const once = (answer: Answer): Answer => {
  let isDone = false
  return unless((asked) => {
    if (isDone || !isInstance(asked)) return undefined
    isDone = true
    return answer
  })
}

const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(code, headers).end()

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

t.test('what may pass is tried again', async (t) => {
  const directory = t.testdir({})
  const cut = multipart(slices['1.2.3.0']!)
  const passing: [string, Answer][] = [
    ['503', status(503, { 'retry-after': '0' })],
    ['429', status(429)],
    ['a broken connection', (response) => response.destroy()],
    [
      'a connection that breaks in the middle',
      (response) => {
        response.writeHead(200, { 'content-type': multipartType, 'content-length': cut.length })
        response.write(cut.subarray(0, cut.length / 2), () => response.destroy())
      },
    ],
    [
      'a multipart message that is cut short',
      (response) =>
        response.writeHead(200, { 'content-type': multipartType }).end(cut.subarray(0, cut.length - 30)),
    ],
    [
      'nothing',
      (response) =>
        response.writeHead(200, { 'content-type': multipartType }).end(multipart(Buffer.alloc(0))),
    ],
  ]
  for (const [name, answer] of passing) {
    await using server = await standIn(once(answer))
    const path = join(directory, name.replaceAll(' ', '-'))
    t.match(await fetchSeries(server.pacs, address, path), { fetched: 6 }, name)
    t.equal(server.asked.filter(isInstance).length, 7, `${name}: once more`)
    for (const [uid, bytes] of Object.entries(slices))
      t.ok(readFileSync(join(path, `${uid}.dcm`)).equals(bytes))
  }
})

t.test('what does not pass is an error that says so', async (t) => {
  const directory = t.testdir({})
  const other = ctSlice({ number: 9, position: [0, 0, 9] })
  const typed =
    (type: string, body: Uint8Array | string): Answer =>
    (response) =>
      response.writeHead(200, { 'content-type': type }).end(body)
  const page = '<html>Please log in</html>'
  const failures: [string, Answer, JcsError['code'], RegExp][] = [
    ['401', instead(status(401)), 'PACS_UNAUTHORIZED', /answered 401/],
    ['403', instead(status(403)), 'PACS_UNAUTHORIZED', /answered 403/],
    ['404', instead(status(404)), 'PACS_REFUSED', /answered 404/],
    ['503 for ever', instead(status(503)), 'PACS_UNREACHABLE', /answered 503/],
    ['a page', instead(typed('text/html', page)), 'PACS_ANSWER_INVALID', /answers with text\/html/],
    [
      'a page as a list',
      typed('text/html', page),
      'PACS_ANSWER_INVALID',
      /text\/html where application\/dicom\+json/,
    ],
    ['no JSON', typed('application/json', '[{'), 'PACS_ANSWER_INVALID', /cut short or damaged/],
    [
      'no data sets',
      typed('application/json', '[1, null]'),
      'PACS_ANSWER_INVALID',
      /no list of DICOM data sets/,
    ],
    [
      'no boundary',
      instead(typed('multipart/related; type="application/dicom"', multipart(other))),
      'PACS_ANSWER_INVALID',
      /answers with multipart\/related/,
    ],
    [
      'another boundary',
      instead(typed(multipartType.replace('=bound', '=other'), multipart(other))),
      'PACS_ANSWER_INVALID',
      /cut short/,
    ],
    [
      'two parts',
      instead(typed(multipartType, multipart(slices['1.2.3.0']!, other))),
      'PACS_ANSWER_INVALID',
      /2 parts/,
    ],
    [
      'another instance',
      instead(typed(multipartType, multipart(other))),
      'PACS_ANSWER_INVALID',
      /another instance/,
    ],
    [
      'no DICOM',
      instead(typed(multipartType, multipart(Buffer.alloc(500, page)))),
      'PACS_ANSWER_INVALID',
      /no DICOM/,
    ],
    [
      'invalid UIDs',
      unless(({ path }) =>
        path.includes('/instances') && !path.includes('offset=1')
          ? (response) => json(response, [dataset({ '00080018': '../../../etc/passwd' })])
          : undefined,
      ),
      'PACS_ANSWER_INVALID',
      /SOPInstanceUID is none/,
    ],
  ]
  for (const [name, answer, code, message] of failures) {
    await using server = await standIn(answer)
    const fetching = fetchSeries({ ...server.pacs, retries: 2 }, address, join(directory, 'to'))
    await t.rejects(fetching, { code, message }, name)
    t.notOk(
      readdirSync(directory, { recursive: true }).some((file) => String(file).endsWith('.tmp')),
      name,
    )
  }
  await using server = await standIn(instead(status(503)))
  await t.rejects(fetchSeries({ ...server.pacs, retries: 2 }, address, join(directory, 'to')))
  const [first] = server.asked.filter(isInstance)
  t.equal(server.asked.filter(({ path }) => path === first!.path).length, 3, 'as often as was asked for')
})

t.test('an endless list ends', async (t) => {
  await using server = await standIn((response) => {
    response.writeHead(200, { 'content-type': 'application/dicom+json' })
    const more = Buffer.alloc(2 ** 20, '[')
    const write = () => {
      while (!response.destroyed && response.write(more));
      response.once('drain', write)
    }
    write()
  })
  await t.rejects(findSeries(server.pacs), {
    code: 'PACS_ANSWER_INVALID',
    message: /more than 67108864 bytes/,
  })
})

t.test('a silent server is given up, before its answer and within', async (t) => {
  const within: Answer = (response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).write('[')
  for (const answer of [() => {}, within]) {
    await using server = await standIn(answer)
    await t.rejects(findSeries({ ...server.pacs, timeoutMs: 50, retries: 1 }), {
      code: 'PACS_UNREACHABLE',
      message: /silent for 50 ms/,
    })
    t.equal(server.asked.length, 2)
  }
  await using server = await standIn(oneSeries)
  await server[Symbol.asyncDispose]()
  await t.rejects(findSeries({ ...server.pacs, retries: 1 }), {
    code: 'PACS_UNREACHABLE',
    message: /ECONNREFUSED/,
  })
})

t.test('a redirect is followed within the server, and not to elsewhere', async (t) => {
  await using elsewhere = await standIn(oneSeries)
  await using server = await standIn((response, { path }) => {
    if (path.startsWith('series')) response.writeHead(307, { location: '/dicom-web/moved' }).end()
    else json(response, [])
  })
  t.same(await findSeries(server.pacs), [])
  await using leading = await standIn((response) =>
    response.writeHead(302, { location: `${elsewhere.origin}/dicom-web/series` }).end(),
  )
  const headers = { authorization: 'Basic c2VjcmV0' }
  await t.rejects(findSeries({ ...leading.pacs, headers }), {
    code: 'PACS_REFUSED',
    message: new RegExp(`redirects a GET to ${elsewhere.origin}`),
  })
  t.equal(elsewhere.asked.length, 0)
  await using circling = await standIn((response) =>
    response.writeHead(302, { location: '/dicom-web/series' }).end(),
  )
  await t.rejects(findSeries(circling.pacs), { code: 'PACS_REFUSED' })
  t.equal(circling.asked.length, 6)
})

t.test('headers and tokens go to the archive, and nowhere else', async (t) => {
  const secret = 'c2VjcmV0LXRva2Vu'
  let given = 0
  await using server = await standIn(unless((_, nth) => (nth === 1 ? status(401) : undefined)))
  const pacs: Pacs = {
    ...server.pacs,
    headers: { 'X-Api-Key': secret },
    token: async () => `${secret}${given++}`,
  }
  t.same(await findSeries(pacs), [])
  const error: JcsError = await findSeries(pacs).then(
    () => t.fail('is refused'),
    (reason) => reason,
  )
  t.equal(error.code, 'PACS_UNAUTHORIZED')
  t.same(
    server.asked.map(({ headers }) => [headers['x-api-key'], headers.authorization]),
    server.asked.map((_, index) => [secret, `Bearer ${secret}${index}`]),
    'a token is asked for before each request',
  )
  t.notOk(`${error.stack} ${JSON.stringify(error)}`.includes(secret))

  const bad = (pacs: Partial<Pacs>) =>
    findSeries({ url: server.origin, ...pacs }).then(
      () => '',
      (reason) => reason,
    )
  for (const [pacs, code] of [
    [{ headers: { 'X-Key': `${secret}\nx: y` } }, 'INVALID_ARGUMENT'],
    [{ headers: { [`${secret} name`]: 'x' } }, 'INVALID_ARGUMENT'],
    [{ url: `https://user:${secret}@pacs.example/` }, 'INVALID_ARGUMENT'],
    [{ url: `https://pacs.example/?key=${secret}` }, 'INVALID_ARGUMENT'],
    [{ token: () => `${secret}\r\nx: y` }, 'PACS_UNAUTHORIZED'],
    [{ token: () => 7 as unknown as string }, 'PACS_UNAUTHORIZED'],
    [{ token: secret as unknown as () => string }, 'INVALID_TYPE'],
  ] as [Partial<Pacs>, string][]) {
    const reason = await bad(pacs)
    t.equal(reason.code, code)
    t.notOk(`${reason.stack}`.includes(secret), reason.message)
  }
})

t.test('what is asked for is checked before anything is asked', async (t) => {
  await using server = await standIn(oneSeries)
  const { pacs } = server
  const wrong: [Promise<unknown>, RegExp][] = [
    [findSeries({ ...pacs, url: 'ftp://pacs.example' }), /ftp:/],
    [findSeries({ ...pacs, url: 'pacs.example' }), /no address/],
    [findSeries({ ...pacs, retries: -1 }), /pacs\.retries/],
    [findSeries({ ...pacs, timeoutMs: 0 }), /pacs\.timeoutMs/],
    [findSeries({ ...pacs, secret: 1 } as Pacs), /no option 'secret'/],
    [findSeries(pacs, { study: '1.2/../3' }), /query\.study is no valid UID/],
    [findSeries(pacs, { modality: '' }), /query\.modality/],
    [fetchSeries(pacs, { study: '../1' }, 'nowhere'), /address\.study is no valid UID/],
    [fetchSeries(pacs, { study, series: '1.02' }, 'nowhere'), /address\.series/],
  ]
  for (const [promise, message] of wrong) await t.rejects(promise, { code: 'INVALID_ARGUMENT', message })
  await t.rejects(storeInstances(pacs, [new Uint8Array(9)]), { code: 'CORRUPT_FILE', message: /^files\[0\]/ })
  await t.rejects(storeInstances(pacs, ['x'] as unknown as Uint8Array[]), { code: 'INVALID_TYPE' })
  t.equal(server.asked.length, 0)
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

const noOpenssl = spawnSync('openssl', ['version']).status === 0 ? false : 'there is no openssl here'

t.test('a certificate is taken only where somebody vouches for it', { skip: noOpenssl }, async (t) => {
  const directory = t.testdir({})
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')]
  spawnSync('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    '-keyout',
    key,
    '-out',
    certificate,
  ])
  writeFileSync(
    join(directory, 'ask.mjs'),
    `import { createServer } from 'node:https'
    import { readFileSync } from 'node:fs'
    import { findSeries } from ${JSON.stringify(join(repositoryRoot, 'dist', 'index.mjs'))}
    const server = createServer({ key: readFileSync(${JSON.stringify(key)}), cert: readFileSync(${JSON.stringify(certificate)}) }, (_, response) => response.writeHead(204).end())
    server.listen(0, '127.0.0.1', async () => {
      try {
        console.log((await findSeries({ url: \`https://127.0.0.1:\${server.address().port}\` })).length)
      } catch ({ code, message }) {
        console.log(code, message)
      }
      process.exit()
    })`,
  )
  const ask = (env: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, [join(directory, 'ask.mjs')], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    }).stdout
  t.match(ask({}), /^PACS_UNREACHABLE .*self-signed certificate; NODE_EXTRA_CA_CERTS/)
  t.equal(ask({ NODE_EXTRA_CA_CERTS: certificate }), '0\n')
})

t.test('the command line says what is wrong, and no secret', async (t) => {
  const secret = 'c2VjcmV0'
  await using server = await standIn(status(401))
  const run = (...args: string[]) =>
    new Promise<{ status: number | null; said: string }>((resolve) => {
      const child = spawn(process.execPath, [join(repositoryRoot, 'dist/cli/main.js'), ...args])
      const said: Buffer[] = []
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => said.push(chunk))
      child.on('close', (status) => resolve({ status, said: Buffer.concat(said).toString() }))
    })
  const from = ['--from', String(server.pacs.url)]
  const tokenFile = join(t.testdir({ token: `${secret}\n` }), 'token')
  const cases: [string[], number, RegExp][] = [
    [['inspect', ...from, '--token-file', tokenFile], 1, /PACS_UNAUTHORIZED/],
    [['diagnose', '--study', '1.2', ...from, '--header', `X-Key: ${secret}`], 1, /PACS_UNAUTHORIZED/],
    [['diagnose', '--study', '1.2', ...from, '--header', secret], 2, /--header needs a name and a value/],
    [['diagnose', '--study', '1.2', ...from, '--token-file', `${tokenFile}s`], 3, /FILE_NOT_FOUND/],
    [['diagnose', '--study', '1.2'], 2, /--from/],
    [['diagnose', '--study', '../1', ...from], 2, /no valid UID/],
    [['diagnose', '--study', '1.2', 'scans/', ...from], 2, /one of them/],
    [['diagnose', '--study', '1.2', ...from, '--store', '--new-uids', 'x'], 2, /--new-uids/],
    [['diagnose', 'scans/', '--store'], 2, /--store needs --study/],
    [['diagnose', 'scans/', '--fetch-to', 'x'], 2, /--fetch-to needs --study/],
    [['diagnose'], 2, /nothing was named/],
    [['inspect'], 2, /--from/],
    [['inspect', 'scans/', ...from], 2, /--from/],
  ]
  for (const [args, expected, message] of cases) {
    const { status, said } = await run(...args)
    t.equal(status, expected, `${args.join(' ')}: ${said}`)
    t.match(said, message)
    t.notOk(said.includes(secret))
  }
  t.ok(
    server.asked.some(({ headers }) => headers.authorization === `Bearer ${secret}`),
    'which was sent',
  )
})
