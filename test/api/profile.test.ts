import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { createModel, type ProfileStep } from '../../ts/index'
import { type Roofline, rooflineOf } from '../../ts/model/roofline'
import { profileReport } from '../../ts/report'
import { checkSelfContained } from './self-contained'
import { repositoryRoot, segmenterSpec } from './small'

const execute = promisify(execFile)
const command = join(repositoryRoot, 'dist', 'cli', 'main.js')
const jcs = (...args: string[]) => execute(process.execPath, [command, ...args])

const step = (change: Partial<ProfileStep>): ProfileStep => ({
  op: 'conv2d',
  attributes: '',
  scope: 'layer',
  implementation: 'brgemm:winograd',
  output: '1x8x8x8',
  dtype: 'f32',
  flops: 0,
  bytes: 0,
  seconds: 0,
  ...change,
})

/** Peaks of 100 GFLOP/s and 10 GB/s: 10 FLOP per byte are the ridge. */
const peaks = { flopsPerSecond: { f32: 100e9, bf16: 200e9 }, bytesPerSecond: 10e9 }
const profileOf = (steps: ProfileStep[]) => ({
  steps,
  arenaBytes: 2 ** 20,
  persistentBytes: 0,
  copiedBytes: 0,
})

t.test('rates: products bound one step, memory another, and groups add up', async (t) => {
  const { seconds, groups, steps } = rooflineOf(
    profileOf([
      step({ flops: 50e9, bytes: 1e9, seconds: 1 }),
      step({ flops: 50e9, bytes: 1e9, seconds: 0.5, dtype: 'bf16' }),
      step({ op: 'binary', implementation: 'own', flops: 1e9, bytes: 5e9, seconds: 2.5 }),
      step({ op: 'copy', implementation: 'own', bytes: 10e9, seconds: 0 }),
    ]),
    peaks,
  )
  t.equal(seconds, 4)
  const [products, halved, memory, nothing] = steps
  t.match(products, {
    gigaflopsPerSecond: 50,
    gigabytesPerSecond: 1,
    intensity: 50,
    share: 0.25,
    roofShare: 0.5,
  })
  t.match(halved, { gigaflopsPerSecond: 100, roofShare: 0.5 }, 'bf16 has a peak of its own')
  t.match(memory, { gigabytesPerSecond: 2, roofShare: 0.2 })
  t.match(nothing, { gigabytesPerSecond: 0, roofShare: 0 }, 'what takes no time has no rate')
  t.match(groups, [
    { op: 'binary', implementation: 'own', steps: 1, share: 0.625 },
    { op: 'conv2d', implementation: 'brgemm:winograd', steps: 2, flops: 100e9, seconds: 1.5, roofShare: 0.5 },
    { op: 'copy', steps: 1 },
  ])
})

t.test('Winograd’s rate may exceed the peak, and the page says why', async (t) => {
  const roofline = rooflineOf(profileOf([step({ flops: 400e9, bytes: 1e9, seconds: 1 })]), peaks)
  t.equal(roofline.steps[0]?.roofShare, 4)
  const model = { spec: segmenterSpec, device: 'cpu', precision: 'fp32', threads: 2 }
  const page = profileReport(model, roofline)
  t.match(page, /<td[^>]*>400\.0%/)
  t.match(page, /do a quarter of these products/)
})

t.test('a page of a program that computes nothing, and of hostile names', async (t) => {
  const model = { spec: segmenterSpec, device: 'cpu', precision: 'fp32', threads: 2 }
  t.match(profileReport(model, rooflineOf(profileOf([]), peaks)), /No step computes/)
  const hostile = step({ scope: '"><img src=x>', flops: 1e9, bytes: 1e9, seconds: 1 })
  checkSelfContained(t, profileReport(model, rooflineOf(profileOf([hostile]), peaks)))
})

t.test('jcs profile: text, JSON and page', async (t) => {
  const directory = t.testdir()
  const [file, page] = [join(directory, 'model.safetensors'), join(directory, 'profile.html')]
  await using model = await createModel(segmenterSpec)
  await model.save(file)
  const size = ['--height', '64', '--width', '96']

  const text = (await jcs('profile', file, ...size, '--top', '3')).stdout
  t.match(text, /at best .*GFLOP\/s, memory .* GB\/s/)
  t.match(text, /of the roof/)

  const { stdout } = await jcs('profile', file, ...size, '--json', '--html', page)
  const result = JSON.parse(stdout) as Roofline & Record<string, unknown>
  t.match(result, { device: 'cpu', batch: 1, height: 64, width: 96, threads: Number, spec: segmenterSpec })
  t.ok(result.peaks.bytesPerSecond > 0 && (result.peaks.flopsPerSecond.f32 ?? 0) > 0)
  const near = (a: number, b: number) => Math.abs(a - b) <= 1e-6 * Math.abs(b)
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0)
  t.ok(near(sum(result.groups.map(({ seconds }) => seconds)), result.seconds), 'groups hold all of the time')
  t.equal(sum(result.groups.map(({ steps }) => steps)), result.steps.length)
  t.ok(near(sum(result.steps.map(({ share }) => share)), 1))
  t.ok(result.steps.every(({ roofShare, gigabytesPerSecond }) => roofShare >= 0 && gigabytesPerSecond >= 0))

  const html = readFileSync(page, 'utf8')
  checkSelfContained(t, html)
  t.match(html, /<svg /)
  t.match(html, /winograd/)
  t.notMatch(html, directory, 'no paths in a page')
  for (const { scope } of result.steps) t.ok(html.includes(scope), scope)
})

t.test('jcs profile: what is wrong is said, and nothing is left behind', async (t) => {
  const directory = t.testdir()
  const file = join(directory, 'model.safetensors')
  await using model = await createModel(segmenterSpec)
  await model.save(file)
  await t.rejects(jcs('profile', join(directory, 'none.safetensors')), { code: 3, stderr: /FILE_NOT_FOUND/ })
  await t.rejects(jcs('profile', file, '--height', '31'), { code: 3, stderr: /INPUT_TOO_SMALL/ })
  await t.rejects(jcs('profile', file, '--batch', '0'), { code: 2, stderr: /INVALID_ARGUMENT/ })
  const page = join(directory, 'missing', 'profile.html')
  const unwritable = jcs('profile', file, '--height', '64', '--width', '64', '--html', page)
  await t.rejects(unwritable, { code: 1, stderr: /FILE_UNWRITABLE/ })
  t.notOk(existsSync(page))
})
