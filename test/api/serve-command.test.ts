import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'
import t, { type Test } from 'tap'
import { storeInstances } from '../../ts/index'
import { archivedChest } from './archived-chest'
import { element } from './dicom-files'
import { networks } from './lung-scan'
import { orthancMissing, startOrthanc } from './orthanc'
import { repositoryRoot } from './small'

const patient = 'Doe^Jane'
const key = 'correct-horse-battery'
const chest = archivedChest('2.25.77', [element('00100010', 'PN', patient)])

interface Command {
  url: string
  child: ChildProcess
  log: string[]
}

/** `jcs serve` with models that outline a chest of boxes, on a free port. */
async function serve(t: Test, directory: string, args: readonly string[] = []): Promise<Command> {
  for (const model of Object.values(await networks(directory))) await model.dispose()
  const child = spawn(process.execPath, [
    join(repositoryRoot, 'dist/cli/main.js'),
    ...['serve', '--port', '0', '--device', 'cpu', '--precision', 'fp32'],
    ...['--segmenter', join(directory, 'threshold-above--700.safetensors')],
    ...['--lungs', join(directory, 'threshold-below--300.safetensors')],
    ...args,
  ])
  t.teardown(() => child.kill('SIGKILL'))
  const log: string[] = []
  createInterface({ input: child.stdout! }).on('line', (line) => log.push(line))
  const said = createInterface({ input: child.stderr! })
  for await (const line of said) {
    const [, url] = /jcs serves at (\S+)/.exec(line) ?? []
    if (url) return { url, child, log }
    log.push(line)
  }
  throw new Error(log.join('\n'))
}

function form(options: object = { sliceThreshold: 3 }): FormData {
  const body = new FormData()
  body.append('options', JSON.stringify(options))
  for (const [index, file] of chest.files.entries())
    body.append('images', new Blob([new Uint8Array(file)]), `${patient} ${index}.dcm`)
  return body
}

t.test('jcs serve: keys, a log without names, and an end that waits for what is underway', async (t) => {
  const directory = t.testdir({ keys: `# clients\nward 3: ${key}\n` })
  const { url, child, log } = await serve(t, directory, ['--api-keys', join(directory, 'keys')])
  const post = (headers: Record<string, string>) =>
    fetch(`${url}/v1/diagnose`, { method: 'POST', body: form(), headers })
  t.equal((await post({})).status, 401)
  const headers = { authorization: `Bearer ${key}`, 'x-request-id': 'request-1' }
  const answer = await post(headers)
  t.equal(answer.headers.get('x-request-id'), 'request-1')
  const diagnosis = (await answer.json()) as { positive: boolean; slices: { image: string }[] }
  t.match(diagnosis, { positive: true, totalSlices: 30, involvement: { severityScore: Number } })
  t.match(diagnosis.slices[0]!.image, /^Doe\^Jane \d+\.dcm$/, 'by the names that its caller gave')

  const last = post(headers)
  await new Promise((resolve) => setTimeout(resolve, 100))
  child.kill('SIGTERM')
  t.equal((await last).status, 200)
  const [code] = await once(child, 'exit')
  t.equal(code, 0)
  const lines = log.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
  t.match(
    lines
      .filter(({ msg }) => msg === 'request done')
      .map(({ reqId, client, res }) => [reqId, client, res.statusCode]),
    [
      [/^[\w-]{36}$/, undefined, 401],
      ['request-1', 'ward 3', 200],
      ['request-1', 'ward 3', 200],
    ],
  )
  t.notMatch(log.join('\n'), /Doe|Jane|\.dcm/)
  t.notMatch(log.join('\n'), key)
})

t.test('options that do not go together', async (t) => {
  const directory = t.testdir({ keys: 'no colon\n' })
  const failure = async (args: string[]) => {
    const child = spawn(process.execPath, [join(repositoryRoot, 'dist/cli/main.js'), 'serve', ...args])
    let text = ''
    child.stderr.on('data', (chunk) => {
      text += chunk
    })
    await once(child, 'close')
    return text
  }
  t.match(await failure(['--jwt-issuer', 'x']), /need --jwt-key/)
  t.match(await failure(['--api-keys', join(directory, 'keys')]), /name, colon and key/)
  t.match(await failure(['--api-keys', join(directory, 'none')]), /does not exist/)
  const model = ['--segmenter', join(directory, 'threshold-above--700.safetensors')]
  for (const each of Object.values(await networks(directory))) await each.dispose()
  t.match(await failure([...model, '--port', '99999']), /port 99999.*\[INVALID_ARGUMENT\]/)
})

t.test('a study is fetched from the archive by its UID', { skip: orthancMissing }, async (t) => {
  const directory = t.testdir({ orthanc: {} })
  await using orthanc = await startOrthanc(join(directory, 'orthanc'))
  await storeInstances(orthanc.pacs, chest.files)
  const { url } = await serve(t, directory, [
    ...['--from', String(orthanc.pacs.url), '--header', `Authorization: ${orthanc.authorization}`],
  ])
  const post = (body: object, accept = 'application/json') =>
    fetch(`${url}/v1/diagnose`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', accept },
    })
  const study = { study: chest.study, sliceThreshold: 3 }
  t.match(await (await post(study)).json(), {
    positive: true,
    totalSlices: 30,
    series: { uid: chest.series },
  })
  const events = await (await post(study, 'text/event-stream')).text()
  t.match(events, /event: progress\ndata: \{"phase":"fetch"/)
  t.match(events, /event: result\n/)
  const unknown = await post({ study: '2.25.99' })
  t.match(await unknown.json(), { error: { code: 'EMPTY_DATASET' } })
  const document = await (await fetch(`${url}/openapi.json`)).json()
  t.match(document, {
    paths: { '/v1/diagnose': { post: { requestBody: { content: { 'application/json': {} } } } } },
  })
})

t.test('the routes in an application of one’s own: examples/fastify', async (t) => {
  const directory = t.testdir()
  for (const model of Object.values(await networks(directory))) await model.dispose()
  const child = spawn(process.execPath, [join(repositoryRoot, 'examples/fastify/server.mjs')], {
    env: {
      ...process.env,
      PORT: '0',
      SEGMENTER: join(directory, 'threshold-above--700.safetensors'),
      LUNGS: join(directory, 'threshold-below--300.safetensors'),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  t.match(await (await fetch(line)).text(), /own application/)
  const answer = await fetch(`${line}/ct/v1/diagnose`, { method: 'POST', body: form() })
  t.match(await answer.json(), { positive: true, totalSlices: 30 })
  t.match(await (await fetch(`${line}/ct/openapi.json`)).json(), { servers: [{ url: '/ct' }] })
  t.equal((await fetch(`${line}/ct/`)).status, 200)
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  t.equal(code, 0)
})

const executablePath = '/usr/bin/chromium'
const skip = existsSync(executablePath) ? false : 'Chromium is not installed: npm run setup -- --test'

t.test('a case is sent, watched and read on the page', { skip }, async (t) => {
  const directory = t.testdir({ case: {} })
  const paths = chest.files.map((file, index) => {
    const path = join(directory, 'case', `${index}`)
    writeFileSync(path, file)
    return path
  })
  const { url } = await serve(t, directory)
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  page.on('pageerror', (error) => t.fail(`error: ${error.message}`))
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('422')) t.fail(`console: ${message.text()}`)
  })
  await page.goto(url)
  t.ok(await page.locator('#start').isDisabled())
  await page.setInputFiles('#files', paths)
  t.equal(await page.locator('#chosen').textContent(), '30 files')
  await page.click('#start')
  await page.waitForSelector('iframe:not([hidden])')
  // Boxes of tissue are what the network outlines: more than the default of 25 slices.
  t.match(
    await page.locator('#verdict').textContent(),
    /^(Positive|Negative): \d+ of 30 slices, [\d.]+ % of the lungs$/,
  )
  for (const phase of ['decode', 'lungs', 'segment'])
    t.match(await page.locator(`#phase-${phase}`).textContent(), /30 of 30/)
  const report = page.frameLocator('iframe')
  t.equal(await report.locator('h1').textContent(), 'Diagnosis of a case')
  await report.locator('footer .disclaimer').waitFor()

  await page.setInputFiles('#files', paths.slice(0, 5))
  await page.click('#start')
  await page.locator('#error').filter({ hasText: '5 slices' }).waitFor()
})
