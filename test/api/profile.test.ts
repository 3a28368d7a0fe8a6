import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { createModel, type ProfileStep } from '../../ts/index'
import { type Roofline, rooflineOf } from '../../ts/model/roofline'
import { profileReport } from '../../ts/report'
import { alternativeCell, boundSentence, savingSentences } from '../../ts/report/profile-report'
import { checkSelfContained } from './self-contained'
import { repositoryRoot, segmenterSpec } from './small'

const execute = promisify(execFile)
const command = join(repositoryRoot, 'dist', 'cli', 'main.js')
const jcs = (...args: string[]) => execute(process.execPath, [command, ...args])

/** Unless it says otherwise, of a kernel that does the plain sum. */
const step = (change: Partial<ProfileStep>): ProfileStep => ({
  op: 'conv2d',
  attributes: '',
  scope: 'layer',
  implementation: 'brgemm:winograd',
  output: '1x8x8x8',
  dtype: 'f32',
  flops: 0,
  kernelFlops: change.flops ?? 0,
  kernelDtype: change.dtype ?? 'f32',
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

t.test('Winograd’s rate may exceed the peak, its share of the roof not, and the page says why', async (t) => {
  const winograd = step({ dtype: 'bf16', flops: 400e9, kernelFlops: 80e9, kernelDtype: 'f32', seconds: 1 })
  const roofline = rooflineOf(profileOf([winograd]), peaks)
  t.match(roofline.steps[0], { gigaflopsPerSecond: 400, roofShare: 0.8, boundBy: 'products' })
  const model = { spec: segmenterSpec, device: 'cpu', precision: 'bf16', threads: 2 }
  const page = profileReport(model, roofline)
  t.match(page, /<td[^>]*>80\.0%/)
  t.match(page, /do a quarter of these products/)
})

t.test('what bounds a step, and how much of the time', async (t) => {
  const roofline = rooflineOf(
    profileOf([
      step({ flops: 60e9, bytes: 1e9, seconds: 1 }),
      step({ flops: 1e9, bytes: 9e9, seconds: 1 }),
      step({ flops: 49e9, bytes: 4e9, seconds: 1 }),
      step({ op: 'copy', seconds: 1 }),
    ]),
    peaks,
  )
  t.strictSame(
    roofline.steps.map(({ boundBy }) => boundBy),
    ['products', 'memory', 'kernel', 'kernel'],
  )
  t.strictSame(roofline.secondsBoundBy, { products: 1, memory: 1, kernel: 2 })
  t.equal(boundSentence(roofline), 'bound by products 25 % of the time, by memory 25 %, by kernels 50 %')
  t.match(boundSentence(rooflineOf(profileOf([]), peaks)), /products 0 %/)
})

t.test('what the best other kernels would give', async (t) => {
  const slower = { implementation: 'direct', dtype: 'f32', speedup: 0.5 }
  const half = { implementation: 'implicit', dtype: 'f32', speedup: 1.25 }
  const bytes = { implementation: 'implicit', dtype: 'u8', speedup: 4 }
  const roofline = rooflineOf(
    profileOf([
      step({ seconds: 1, alternatives: [bytes, half, slower] }),
      step({ seconds: 2, alternatives: [slower] }),
      step({ op: 'binary', seconds: 1, alternatives: [] }),
    ]),
    peaks,
  )
  const saved = roofline.secondsToSave ?? {}
  t.ok(Math.abs(saved.f32! - 0.2) < 1e-12 && Math.abs(saved.u8! - 0.75) < 1e-12, 'slower ones save nothing')
  t.strictSame(roofline.steps.map(alternativeCell), ['implicit u8 4.00×', '', ''])
  t.strictSame(savingSentences(roofline), [
    'with the best other kernels in u8, where they are faster: 3250.0 ms instead of 4000.0',
    'with the best other kernels in f32, where they are faster: 3800.0 ms instead of 4000.0',
  ])
  t.strictSame(
    savingSentences(rooflineOf(profileOf([step({ seconds: 1 })]), peaks)),
    [],
    'where none were asked for',
  )
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
  t.match(text, /bound by products \d+ % of the time/)
  t.match(text, /with the best other kernels in f32/)
  t.notMatch((await jcs('profile', file, ...size, '--no-alternatives')).stdout, /with the best other/)

  const { stdout } = await jcs('profile', file, ...size, '--json', '--html', page)
  const result = JSON.parse(stdout) as Roofline & Record<string, unknown>
  t.match(result, { device: 'cpu', batch: 1, height: 64, width: 96, threads: Number, spec: segmenterSpec })
  t.ok(result.peaks.bytesPerSecond > 0 && (result.peaks.flopsPerSecond.f32 ?? 0) > 0)
  const near = (a: number, b: number) => Math.abs(a - b) <= 1e-6 * Math.abs(b)
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0)
  t.ok(near(sum(result.groups.map(({ seconds }) => seconds)), result.seconds), 'groups hold all of the time')
  t.equal(sum(result.groups.map(({ steps }) => steps)), result.steps.length)
  t.ok(near(sum(result.steps.map(({ share }) => share)), 1))
  for (const { op, alternatives } of result.steps) {
    if (op !== 'conv2d') t.strictSame(alternatives, [], op)
    t.ok(
      alternatives?.every(
        ({ speedup }, i) => speedup > 0 && speedup <= (alternatives[i - 1]?.speedup ?? 1e9),
      ),
    )
  }
  t.ok(
    result.steps.some(({ alternatives }) => alternatives?.some(({ dtype }) => dtype === 'f32')),
    'between tensors that are no slices, a convolution has other kernels',
  )
  const winograd = result.steps.find(({ implementation }) => implementation.includes('winograd'))
  t.ok(winograd && winograd.kernelFlops < winograd.flops / 2 && winograd.kernelDtype === 'f32')
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
