import { spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fetchSeries, findSeries, type JcsError, type Pacs, storeInstances } from '../../ts/index'
import { ctSlice } from './dicom-files'
import { address, instead, isInstance, once, oneSeries, slices, status, study, unless } from './pacs-answers'
import { type Answer, dataset, json, multipart, multipartType, standIn } from './pacs-stand-in'
import { repositoryRoot } from './small'

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
