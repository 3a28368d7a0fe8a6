// npm run check:package: proves the tarballs. Packs library, platform, models and CUDA backend, and installs them from a
// registry on loopback into empty folders, with npm, pnpm and yarn, no install scripts and no compiler; there the library
// is used as CommonJS and as ESM. For the platform that JCS_TARGET names, npm installs them, with what they depend on from
// its own registry, and they are used in that platform's Node.js.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { manifestIn, startRegistry } from './loopback-registry.mjs'
import { root } from './paths.mjs'
import { exitWith, run, StepError } from './process.mjs'
import { emulator, isCross, target } from './target.mjs'
import { targetNode } from './target-node.mjs'

/** Runs inside the empty folder, against the installed package. */
const probe = `
const assert = require('node:assert/strict')
const { readFileSync } = require('node:fs')
const jcs = require('jcs-ct')

const classify = async () => {
  const sharp = require(require.resolve('sharp', { paths: [require.resolve('jcs-ct')] }))
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
  if (process.argv[3] === 'absent') return assert.match(reason, /npm install @jcs-ct\\/cuda/)
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
  for (const name of ['lesions', 'lungs']) {
    const model = await jcs.loadModel(name, { device: 'cpu' })
    assert.match(model.notice, /CC BY-NC-SA/)
    await model.dispose()
  }
}

const without = async () => {
  const message = /optional dependency @jcs-ct\\/linux-x64/
  assert.throws(() => jcs.devices(), { code: 'NATIVE_LOAD_FAILED', message })
  await assert.rejects(jcs.loadModel('lungs'), { code: 'MODELS_NOT_INSTALLED' })
}

const loads = () => sameNames().then(classify).then(models).then(loadedFromPrebuild)
const check = { without, loads, cuda: () => loads().then(cuda) }[process.argv[2]]()
check.catch((error) => {
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

/** What installs a package from a registry into a folder, with a cache of its own. */
const managers = {
  npm: (registry, cache) => [
    'npm',
    'install',
    '--no-audit',
    '--no-fund',
    '--registry',
    registry,
    '--cache',
    cache,
  ],
  pnpm: (registry, cache) => ['pnpm', 'add', '--registry', registry, '--store-dir', cache],
  // Fastify's testing client asks for a cookie package that asks for Node.js 22; only yarn takes that for an error.
  yarn: (registry, cache) => [
    'yarn',
    'add',
    '--ignore-engines',
    '--no-progress',
    '--registry',
    registry,
    '--cache-folder',
    cache,
  ],
}

/** An empty project, in which `install` installs and `use` runs the probe. */
const startProject = (folder, manager, registry) => {
  const project = path.join(folder, `with-${manager}`)
  mkdirSync(project)
  writeFileSync(path.join(project, 'package.json'), '{ "name": "empty", "private": true }\n')
  writeFileSync(path.join(project, 'probe.cjs'), probe)
  const [command, ...options] = managers[manager](registry, path.join(folder, `cache-${manager}`))
  const tools = path.join(folder, 'tools', 'node_modules', '.bin')
  const program = existsSync(path.join(tools, command)) ? path.join(tools, command) : command
  return {
    install: (name, ...more) =>
      run(program, [...options, '--ignore-scripts', ...more, name], { cwd: project }),
    // With an empty PATH no compiler can be called.
    use: (...words) =>
      run(process.execPath, ['probe.cjs', ...words], { cwd: project, env: { HOME: folder, PATH: '' } }),
  }
}

/** The library, this platform, the models, and what else is given. */
const packAll = async (folder, others) => {
  const platformFolder = path.join(root, 'platforms', target)
  if (!existsSync(path.join(platformFolder, 'prebuilds')))
    throw new StepError(`there is no prebuilt addon of ${target}. Run \`npm run prebuildify\` first.`)
  const tarballs = []
  for (const each of [root, platformFolder, path.join(root, 'models'), ...others])
    tarballs.push(path.join(folder, await pack(each, folder)))
  return tarballs
}

const checkContents = ([library, platform]) => {
  const surplus = contentsOf(library).filter(({ file }) => forbidden.test(file))
  if (surplus.length > 0)
    throw new StepError(`the tarball holds what it must not: ${surplus.map(({ file }) => file).join(', ')}`)
  requireFiles(library, ['LICENSE', 'NOTICE', 'CHANGELOG.md', 'dist/bundle.js'])
  const prebuilt = [
    `${target}/jcs-ct.glibc.node`,
    `${target}/libjcs_cpu.so`,
    ...(isCross ? [] : [`${target}/libjcs_mpi.so`]),
    'sbom.cdx.json',
    'THIRD-PARTY-NOTICES',
  ]
  requireFiles(
    platform,
    prebuilt.map((file) => `prebuilds/${file}`),
  )
  requireBudget([library, platform])
}

const checkManagers = async (folder) => {
  const cuda = path.join(root, 'cuda')
  if (!existsSync(path.join(cuda, 'libjcs_cuda.so')))
    throw new StepError('@jcs-ct/cuda has no library. Run `npm run prebuildify:cuda` first.')
  const tools = path.join(folder, 'tools')
  mkdirSync(tools)
  // The last that run on every Node.js that the library runs on.
  await run('npm', ['install', '--silent', '--ignore-scripts', '--prefix', tools, 'pnpm@10', 'yarn@1'])
  const otherPlatforms = readdirSync(path.join(root, 'platforms')).filter((name) => name !== target)
  const tarballs = await packAll(folder, [
    cuda,
    ...otherPlatforms.map((name) => path.join(root, 'platforms', name)),
  ])
  checkContents(tarballs)
  const registry = await startRegistry(tarballs)
  try {
    const bare = startProject(folder, 'npm', registry.url)
    await bare.install('jcs-ct', '--omit=optional')
    await bare.use('without')
    rmSync(path.join(folder, 'with-npm'), { recursive: true })
    for (const manager of Object.keys(managers)) {
      const { install, use } = startProject(folder, manager, registry.url)
      await install('jcs-ct')
      await use('cuda', 'absent')
      await install('@jcs-ct/cuda')
      await use('cuda')
      console.log(
        `${manager}: installs without scripts, loads, classifies, with and without the CUDA backend`,
      )
    }
  } finally {
    registry.close()
  }
}

const checkTarget = async (folder) => {
  const tarballs = await packAll(folder, [])
  checkContents(tarballs)
  const [library, ...optional] = tarballs.map((file) => ({ [manifestIn(file).name]: `file:${file}` }))
  const project = {
    private: true,
    dependencies: library,
    optionalDependencies: Object.assign({}, ...optional),
  }
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify(project))
  writeFileSync(path.join(folder, 'probe.cjs'), probe)
  const [system, cpu] = target.split('-')
  const platform = ['--os', system, '--cpu', cpu, '--libc', 'glibc']
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', ...platform]
  await run('npm', ['install', ...options], { cwd: folder })
  const [program, ...words] = emulator
  await run(program, [...words, targetNode, 'probe.cjs', 'loads'], { cwd: folder })
  console.log(`${target}: npm installs, the library loads and classifies in that platform's Node.js`)
}

const checkPackage = async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'jcs-package-'))
  try {
    await (isCross ? checkTarget(folder) : checkManagers(folder))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

await checkPackage().catch(exitWith)
