// npm run check:package: proves the tarballs. Packs the library and installs it with no install scripts and no compiler
// into an empty folder: first without the package of this platform, then with it, where it is used as CommonJS and as
// ESM, and then with the packages of its models and of its CUDA backend as well.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { root } from './paths.mjs'
import { exitWith, run, StepError } from './process.mjs'

/** Runs inside the empty folder, against the installed package. */
const probe = `
const assert = require('node:assert/strict')
const { readFileSync } = require('node:fs')
const sharp = require(require.resolve('sharp', { paths: [require.resolve('jcs-ct')] }))
const jcs = require('jcs-ct')

const classify = async () => {
  const cpu = jcs.devices().find((device) => device.name === 'cpu')
  assert.ok(cpu?.available, 'the CPU device is not available: ' + cpu?.reason)
  // A horizontal ramp: any image will do, the weights are random.
  const pixels = Buffer.from(Array.from({ length: 96 * 96 }, (_, i) => Math.round((255 * (i % 96)) / 95)))
  const png = await sharp(pixels, { raw: { width: 96, height: 96, channels: 1 } }).png().toBuffer()
  const model = await jcs.createModel({ network: 'res2net50-v1b', width: 0.125 }, { device: 'cpu', seed: 1 })
  const [result] = await jcs.classify(model, png)
  assert.ok(result.probability >= 0 && result.probability <= 1, 'a probability lies in [0, 1]')
  await model.dispose()
  console.log('classify: probability ' + result.probability)
}

const sameNames = async () => {
  const esm = await import('jcs-ct')
  const interop = ['default', 'module.exports', '__esModule'] // what Node adds to a CommonJS module's face
  const names = (exports) => Object.keys(exports).filter((name) => !interop.includes(name)).sort()
  assert.deepEqual(names(esm), names(jcs), 'ESM and CommonJS export the same names')
  assert.equal(esm.JcsError, jcs.JcsError, 'ESM and CommonJS are one instance')
}

const cuda = () => {
  const { available, reason } = jcs.devices().find(({ kind }) => kind === 'cuda')
  if (process.argv[2] === 'alone') return assert.match(reason, /npm install @jcs-ct\\/cuda/)
  assert.ok(available || !reason.includes('not installed'), reason)
  console.log('cuda: ' + (reason ?? 'available'))
}

const loadedFromPrebuild = () => {
  const libraries = readFileSync('/proc/self/maps', 'utf8').split('\\n').map((line) => line.split(' ').at(-1))
  for (const name of [/prebuilds\\/.*\\.node$/, /prebuilds\\/.*libjcs_cpu\\.so$/]) {
    assert.ok(libraries.some((library) => name.test(library)), name + ' is loaded')
  }
}

const models = async () => {
  if (process.argv[2] === 'alone')
    return assert.rejects(jcs.loadModel('lungs'), { code: 'MODELS_NOT_INSTALLED' })
  for (const name of ['lesions', 'lungs']) {
    const model = await jcs.loadModel(name, { device: 'cpu' })
    assert.match(model.notice, /CC BY-NC-SA/)
    await model.dispose()
  }
}

const without = () =>
  assert.throws(() => jcs.devices(), { code: 'NATIVE_LOAD_FAILED', message: /optional dependency @jcs-ct\\/linux-x64/ })

if (process.argv[2] === 'without') without()
else sameNames().then(classify).then(models).then(cuda).then(loadedFromPrebuild).catch((error) => {
  console.error(error)
  process.exitCode = 1
})
`

const forbidden =
  /^package\/(binding\.gyp|native\/|ts\/|test\/|scripts\/|build|prebuilds\/|models\/|cuda\/|platforms\/)/

/** Packs the package in a folder and gives the tarball's name. */
const pack = async (packageFolder, destination) => {
  const before = new Set(readdirSync(destination))
  await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', destination], {
    cwd: packageFolder,
  })
  return readdirSync(destination).find((file) => file.endsWith('.tgz') && !before.has(file))
}

/** What library and platform may weigh together. */
const budgetMb = { packed: 12, unpacked: 35 }

const contentsOf = (tarball) =>
  execFileSync('tar', ['-tvzf', tarball], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/))
    .map((columns) => ({ file: columns.at(-1), bytes: Number(columns[2]) }))

const requireFiles = (tarball, files) => {
  const listed = contentsOf(tarball).map(({ file }) => file)
  for (const file of files)
    if (!listed.includes(`package/${file}`)) throw new StepError(`${path.basename(tarball)} lacks ${file}`)
}

const requireBudget = (tarballs) => {
  const sumOf = (weigh) => tarballs.reduce((sum, tarball) => sum + weigh(tarball), 0) / 1e6
  const weights = {
    packed: sumOf((tarball) => statSync(tarball).size),
    unpacked: sumOf((tarball) => contentsOf(tarball).reduce((sum, { bytes }) => sum + bytes, 0)),
  }
  for (const [what, mb] of Object.entries(weights)) {
    console.log(`${what}: ${mb.toFixed(1)} of ${budgetMb[what]} MB`)
    if (mb > budgetMb[what]) throw new StepError(`library and platform have ${mb.toFixed(1)} MB ${what}`)
  }
}

const checkPackage = async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'jcs-package-'))
  try {
    const tarball = await pack(root, folder)
    const surplus = contentsOf(path.join(folder, tarball)).filter(({ file }) => forbidden.test(file))
    if (surplus.length > 0)
      throw new StepError(`the tarball holds what it must not: ${surplus.map(({ file }) => file).join(', ')}`)
    requireFiles(path.join(folder, tarball), ['LICENSE', 'NOTICE', 'CHANGELOG.md', 'dist/bundle.js'])
    const platformFolder = path.join(root, 'platforms', 'linux-x64')
    if (!existsSync(path.join(platformFolder, 'prebuilds')))
      throw new StepError('there is no prebuilt addon. Run `npm run prebuildify` first.')
    const platform = await pack(platformFolder, folder)
    const prebuilt = ['linux-x64/jcs-ct.glibc.node', 'linux-x64/libjcs_cpu.so']
    requireFiles(
      path.join(folder, platform),
      [...prebuilt, 'sbom.cdx.json', 'THIRD-PARTY-NOTICES'].map((file) => `prebuilds/${file}`),
    )
    requireBudget([tarball, platform].map((file) => path.join(folder, file)))

    writeFileSync(path.join(folder, 'package.json'), '{ "name": "empty", "private": true }\n')
    writeFileSync(path.join(folder, 'probe.cjs'), probe)
    const install = (file) =>
      run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', `./${file}`], { cwd: folder })
    // With an empty PATH no compiler can be called.
    const use = (...words) =>
      run(process.execPath, ['probe.cjs', ...words], { cwd: folder, env: { HOME: folder, PATH: '' } })
    await install(tarball)
    await use('without')
    await install(platform)
    await use('alone')
    await install(await pack(path.join(root, 'models'), folder))
    if (!existsSync(path.join(root, 'cuda', 'libjcs_cuda.so')))
      throw new StepError('@jcs-ct/cuda has no library. Run `npm run prebuildify:cuda` first.')
    await install(await pack(path.join(root, 'cuda'), folder))
    await use()
    console.log(
      'package: packs, installs without scripts, loads, classifies, with and without models and CUDA backend',
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

await checkPackage().catch(exitWith)
