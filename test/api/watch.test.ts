import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import {
  type DiagnosisModels,
  findSeries,
  type Pacs,
  storeInstances,
  type WatchEvent,
  type WatchOptions,
  watch,
} from '../../ts/index'
import { archivedChest } from './archived-chest'
import { element } from './dicom-files'
import { networks } from './lung-scan'
import { type Orthanc, orthancMissing, startOrthanc } from './orthanc'
import { dataset, json, standIn } from './pacs-stand-in'
import { repositoryRoot } from './small'

const quick = { stableMs: 0, pollMs: 20, once: true, sliceThreshold: 3 }

async function events(
  models: DiagnosisModels,
  source: Pacs | string,
  options: WatchOptions,
): Promise<WatchEvent[]> {
  const all: WatchEvent[] = []
  for await (const event of watch(models, source, options)) if (event.kind !== 'progress') all.push(event)
  return all
}

const kindsOf = (all: readonly WatchEvent[], series?: string) =>
  all
    .filter((event) => series === undefined || ('series' in event && event.series === series))
    .map(({ kind }) => kind)

function copyTo(folder: string, files: readonly Uint8Array[], prefix = ''): void {
  mkdirSync(folder, { recursive: true })
  for (const [index, file] of files.entries()) writeFileSync(join(folder, `${prefix}${index}`), file)
}

t.test('a folder: what comes is diagnosed once', async (t) => {
  const root = t.testdir({ models: {}, in: {} })
  const { lungs, segmenter } = await networks(join(root, 'models'))
  await using _lungs = lungs
  await using _segmenter = segmenter
  const models = { segmenter, lungs }
  const [folder, out] = [join(root, 'in'), join(root, 'out')]
  const options = { ...quick, state: join(root, 'state'), out }
  t.same(await events(models, folder, options), [], 'an empty folder is none to complain of')

  const first = archivedChest('2.25.1')
  copyTo(join(folder, 'first'), first.files)
  const seen = await events(models, folder, options)
  t.same(kindsOf(seen), ['found', 'started', 'diagnosed', 'done'])
  t.match(seen.at(-1), { study: '', series: first.series, instances: 30, positive: true, results: 0 })
  t.same(readdirSync(join(out, first.series)).sort(), [
    'diagnosis.json',
    'report.dcm',
    'report.html',
    'segmentation.dcm',
  ])
  t.match(JSON.parse(readFileSync(join(out, first.series, 'diagnosis.json'), 'utf8')), {
    positive: true,
    totalSlices: 30,
  })
  t.same(await events(models, folder, options), [], 'not again')

  copyTo(join(folder, 'second'), archivedChest('2.25.2').files)
  t.same(
    kindsOf(await events(models, folder, options)),
    ['found', 'started', 'diagnosed', 'done'],
    'what is new alone',
  )
})

t.test('a series waits until it is complete', async (t) => {
  const root = t.testdir({ models: {}, in: {} })
  const { segmenter } = await networks(join(root, 'models'))
  await using _segmenter = segmenter
  const chest = archivedChest('2.25.1')
  const folder = join(root, 'in')
  copyTo(folder, chest.files.slice(0, 20))
  const options = {
    ...quick,
    state: join(root, 'state'),
    out: join(root, 'out'),
    stableMs: 400,
    onGap: 'warn' as const,
  }
  const all: WatchEvent[] = []
  for await (const event of watch({ segmenter }, folder, options)) {
    if (event.kind === 'progress') continue
    if (event.kind === 'found' && event.instances === 20) copyTo(folder, chest.files.slice(20), 'late')
    all.push(event)
  }
  const kinds = kindsOf(all, chest.series)
  t.same(kinds, ['found', 'found', 'started', 'diagnosed', 'done'])
  t.match(
    all.find(({ kind }) => kind === 'done'),
    { instances: 30 },
  )
})

t.test('what is no chest CT is left, and what fails does not stop the rest', async (t) => {
  const root = t.testdir({ models: {}, in: {} })
  const { segmenter } = await networks(join(root, 'models'))
  await using _segmenter = segmenter
  const folder = join(root, 'in')
  const good = archivedChest('2.25.1')
  const few = archivedChest('2.25.2')
  const broken = archivedChest('2.25.3', [element('7FE00010', 'OW', new Uint8Array(9))])
  copyTo(join(folder, 'good'), good.files)
  copyTo(join(folder, 'few'), few.files.slice(0, 3))
  copyTo(join(folder, 'broken'), broken.files)
  const options = { ...quick, state: join(root, 'state'), out: join(root, 'out') }
  const all = await events({ segmenter }, folder, options)
  t.same(kindsOf(all, good.series), ['found', 'started', 'diagnosed', 'done'])
  t.match(
    all.find((event) => event.kind === 'left'),
    { series: few.series, reason: /3 instances/ },
  )
  const failed = all.filter((event) => event.kind === 'failed')
  t.same(
    failed.map((event) => 'isFinal' in event && [event.series, event.code, event.isFinal]),
    [false, false, true].map((isFinal) => [broken.series, 'CORRUPT_FILE', isFinal]),
  )
  t.same(await events({ segmenter }, folder, options), [], 'all of it is remembered')
})

t.test('a state is of one watch at a time, and is none of another file', async (t) => {
  const root = t.testdir({ models: {}, in: {}, bad: { 'watch.sqlite': 'this is no database, '.repeat(100) } })
  const { segmenter } = await networks(join(root, 'models'))
  await using _segmenter = segmenter
  const options = { ...quick, once: false, out: join(root, 'out') }
  const running = watch({ segmenter }, join(root, 'in'), { ...options, state: join(root, 'state') })
  t.match(await running.next(), { value: { kind: 'idle', counts: { done: 0 } } })
  const again = () =>
    events({ segmenter }, join(root, 'in'), { ...options, once: true, state: join(root, 'state') })
  await t.rejects(again(), { code: 'BUSY', message: /another process watches/ })
  await running.return()
  t.same(await again(), [], 'it is free again')
  await t.rejects(events({ segmenter }, root, { ...options, state: join(root, 'state') }), {
    code: 'INVALID_ARGUMENT',
    message: /the state is of a watch of '.*in'/,
  })
  await t.rejects(events({ segmenter }, join(root, 'in'), { ...options, state: join(root, 'bad') }), {
    code: 'CORRUPT_FILE',
  })
})

t.test('options are checked first', async (t) => {
  const root = t.testdir({ models: {}, in: {} })
  const { segmenter } = await networks(join(root, 'models'))
  await using _segmenter = segmenter
  const state = join(root, 'state')
  const pacs = { url: 'http://127.0.0.1:1/' }
  const wrong: [Pacs | string, object, RegExp][] = [
    [root, { state }, /out is missing/],
    [root, { state, out: 'x', store: true }, /store/],
    [root, { state, out: 'x', studyDate: '20261101' }, /studyDate/],
    [pacs, { state, series: '1.2' }, /no option 'series'/],
    [pacs, { state, often: true }, /no option 'often'/],
    [pacs, { state, stableMs: -1 }, /stableMs/],
    [pacs, { state, pollMs: 0 }, /pollMs/],
  ]
  for (const [source, options, message] of wrong)
    await t.rejects(events({ segmenter }, source, options as WatchOptions), {
      code: 'INVALID_ARGUMENT',
      message,
    })
  t.notOk(existsSync(state))
})

t.test('of an archive, what is another part of the body or no axial image is left', async (t) => {
  const root = t.testdir({ models: {} })
  const { segmenter } = await networks(join(root, 'models'))
  await using _segmenter = segmenter
  const axial = { '00080016': '1.2.840.10008.5.1.4.1.1.2', '00200037': [1, 0, 0, 0, 1, 0] }
  const metadata: Record<string, object> = {
    '1.2.1': { ...axial, '00180015': 'HEAD' },
    '1.2.2': { ...axial, '00200037': [1, 0, 0, 0, 0, -1] },
    '1.2.3': { ...axial, '00080008': ['DERIVED', 'PRIMARY', 'LOCALIZER'] },
    '1.2.4': { ...axial, '00180015': 'CHEST' },
  }
  await using server = await standIn((response, { path }) => {
    const uid = /series\/([\d.]+)/.exec(path)?.[1]
    if (path.includes('/metadata'))
      return json(response, [dataset(metadata[uid!] as Parameters<typeof dataset>[0])])
    if (path.includes('offset') && !path.includes('offset=0')) return json(response, [])
    if (uid) return json(response, [dataset({ '00080018': `${uid}.1` })])
    const found = Object.keys(metadata).map((series) =>
      dataset({ '00080060': 'CT', '0020000D': '1.2', '0020000E': series, '00201209': 30 }),
    )
    json(response, found)
  })
  const all = await events({ segmenter }, server.pacs, { ...quick, state: join(root, 'state') })
  t.same(
    all.flatMap((event) => (event.kind === 'left' ? [[event.series, event.reason]] : [])),
    [
      ['1.2.1', 'Its body part is not the chest.'],
      ['1.2.2', 'It is no series of axial CT images.'],
      ['1.2.3', 'It is no series of axial CT images.'],
    ],
  )
  t.same(kindsOf(all, '1.2.4').slice(0, 2), ['found', 'started'], 'a chest is tried')
})

t.test('an archive that is away is asked again, less and less often', async (t) => {
  const root = t.testdir({ models: {} })
  const { segmenter } = await networks(join(root, 'models'))
  await using _segmenter = segmenter
  let asked = 0
  await using server = await standIn((response) =>
    ++asked <= 3 ? response.writeHead(503).end() : json(response, []),
  )
  const options = { ...quick, state: join(root, 'state') }
  const all = await events({ segmenter }, { ...server.pacs, retries: 0 }, options)
  t.same(
    all.map((event) => event.kind === 'away' && [event.code, event.retryMs]),
    [20, 40, 80].map((ms) => ['PACS_UNREACHABLE', ms]),
  )
  const controller = new AbortController()
  const stopped = async () => {
    const endless = { ...options, once: false, pollMs: 60_000, signal: controller.signal }
    for await (const { kind } of watch({ segmenter }, server.pacs, endless))
      if (kind === 'idle') controller.abort()
  }
  await t.rejects(stopped(), { code: 'CANCELLED' })
})

/** What an archive has of each modality for a study: how many series, with how many instances. */
async function resultsOf({ pacs }: Orthanc, study: string): Promise<Record<string, number[]>> {
  const found: Record<string, number[]> = {}
  for (const { modality, instances = -1 } of await findSeries(pacs, { study }))
    found[modality] = [...(found[modality] ?? []), instances]
  return found
}

t.test('killed twenty times, every series has one result', { skip: orthancMissing }, async (t) => {
  const root = t.testdir({ orthanc: {}, models: {} })
  for (const model of Object.values(await networks(join(root, 'models')))) await model.dispose()
  await using orthanc = await startOrthanc(join(root, 'orthanc'))
  const { pacs, authorization } = orthanc
  const start = (...more: string[]) =>
    spawn(process.execPath, [
      ...[
        join(repositoryRoot, 'dist/cli/main.js'),
        'watch',
        '--from',
        String(pacs.url),
        '--state',
        join(root, 'state'),
      ],
      ...['--header', `Authorization: ${authorization}`, '--stable', '0', '--poll', '0.05', '--json'],
      ...['--segmenter', join(root, 'models/threshold-above--700.safetensors'), '--slice-threshold', '3'],
      ...['--lungs', join(root, 'models/threshold-below--300.safetensors'), ...more],
    ])
  const studies: string[] = []
  const killedAfter: Record<string, number> = {}
  for (let kill = 0; kill < 20; kill++) {
    if (kill % 2 === 0) {
      const { study, files } = archivedChest(`2.25.${100 + kill}`)
      await storeInstances(pacs, files)
      studies.push(study)
    }
    const child = start()
    // After another event each time, and a little later.
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    let last = 'nothing'
    for (let line = 0; line <= kill % 4; line++) {
      const { value, done } = await lines.next()
      if (done) break
      last = JSON.parse(value).kind
      if (last === 'idle') break
    }
    await sleep((13 * kill) % 70)
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
    killedAfter[last] = (killedAfter[last] ?? 0) + 1
  }
  t.comment(`killed after ${JSON.stringify(killedAfter)}`)
  t.ok(Object.keys(killedAfter).length >= 3, 'at different moments')

  const last = start('--once')
  const said: Buffer[] = []
  last.stderr.on('data', (chunk) => said.push(chunk))
  last.stdout.resume()
  t.equal(await new Promise((resolve) => last.once('exit', resolve)), 0, Buffer.concat(said).toString())
  t.equal(studies.length, 10)
  for (const study of studies)
    t.same(await resultsOf(orthanc, study), { CT: [30], SEG: [1], SR: [1], OT: [3] }, study)
  t.same(readdirSync(join(root, 'state', 'series')), [], 'nothing of them stays on this disk')
})
