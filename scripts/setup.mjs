// npm run setup: installs what is missing for building and testing, and only that. Uses Node's own modules alone,
// because on a fresh clone there are no others.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { canMakeEnvironments, cudaIsFetched, cudaPrefix, fetchCuda } from './cuda-wheels.mjs'
import { withLock } from './lock.mjs'
import { buildOnednn, expectedMinutes } from './onednn-build.mjs'
import { config, onednnIsBuilt, onednnPrefix } from './onednn-cache.mjs'
import { cacheRoot, root } from './paths.mjs'
import { exitWith, findProgram, run, StepError } from './process.mjs'
import { emulator, isCross, target, triplet } from './target.mjs'
import { fetchTargetNode, targetNodeIsFetched, targetNodePrefix } from './target-node.mjs'

// Beyond what building needs: --test, --lint, --prebuild, --cuda, --fuzz. JCS_TARGET names another platform to build for.
const wants = (flag) => process.argv.includes(flag)

const cmakeIsNewEnough = () => {
  if (!findProgram('cmake')) return false
  const [, major, minor] =
    /version (\d+)\.(\d+)/.exec(execFileSync('cmake', ['--version'], { encoding: 'utf8' })) ?? []
  return Number(major) * 100 + Number(minor) >= 325
}

/** Programs by the Debian package that brings them. */
const tools = [
  { name: 'cmake', why: 'configures the native build', present: cmakeIsNewEnough },
  { name: 'ninja-build', why: 'runs the native build', present: () => findProgram('ninja') },
  { name: 'g++', why: 'compiles the engine', present: () => findProgram(process.env.CXX ?? 'g++') },
  {
    name: 'nlohmann-json3-dev',
    why: 'reads JSON in the engine',
    present: () => existsSync('/usr/include/nlohmann/json.hpp'),
  },
  {
    name: 'dpkg-dev',
    why: 'unpacks the oneDNN source',
    present: () => onednnIsBuilt() || findProgram('dpkg-source'),
  },
  {
    name: 'clang-format-14',
    why: 'checks the C++ format',
    present: () => !wants('--lint') || findProgram('clang-format-14'),
  },
  {
    name: 'python3-venv',
    why: 'fetches cuDNN',
    present: () => !wants('--cuda') || cudaIsFetched() || canMakeEnvironments(),
  },
  {
    name: 'python3-gdcm',
    why: 'reads DICOM in tests, beside ours',
    present: () => !wants('--test') || existsSync('/usr/lib/python3/dist-packages/gdcm.py'),
  },
  {
    name: 'python3-pydicom',
    why: 'reads DICOM in tests, beside ours',
    present: () => !wants('--test') || existsSync('/usr/lib/python3/dist-packages/pydicom'),
  },
  {
    name: 'dcmtk',
    why: 'reads DICOM in tests, beside ours',
    present: () => !wants('--test') || findProgram('dcmdump'),
  },
  {
    name: 'dicom3tools',
    why: 'judges the DICOM that tests write',
    present: () => !wants('--test') || findProgram('dciodvfy'),
  },
  {
    name: 'orthanc',
    why: 'is the PACS of tests',
    present: () => !wants('--test') || findProgram('Orthanc'),
  },
  {
    name: 'orthanc-dicomweb',
    why: 'lets it answer DICOMweb',
    present: () => !wants('--test') || existsSync('/usr/share/orthanc/plugins/libOrthancDicomWeb.so'),
  },
  {
    name: 'redis-server',
    why: 'holds the queue of examples/cluster in tests',
    present: () => !wants('--test') || existsSync('/usr/bin/redis-server'),
  },
  {
    name: 'libopenmpi-dev',
    why: 'lets processes train together',
    present: () => !(wants('--test') || wants('--prebuild')) || findProgram('mpicc'),
  },
  {
    name: 'openmpi-bin',
    why: 'starts such processes in tests',
    present: () => !wants('--test') || findProgram('mpirun'),
  },
  {
    name: 'python3-nibabel',
    why: 'reads and writes NIfTI in tests, beside ours',
    present: () => !wants('--test') || existsSync('/usr/lib/python3/dist-packages/nibabel'),
  },
  {
    name: 'chromium',
    why: 'opens reports in tests',
    present: () => !wants('--test') || existsSync('/usr/bin/chromium'),
  },
  // Older Clangs do not take the standard library of Debian 12's GCC.
  {
    name: 'clang-19',
    why: 'compiles what is fuzzed',
    present: () => !wants('--fuzz') || findProgram('clang++-19'),
  },
  {
    name: 'libclang-rt-19-dev',
    why: 'brings libFuzzer and its sanitizers',
    present: () => !wants('--fuzz') || existsSync('/usr/lib/llvm-19/lib/clang/19/lib/linux'),
  },
  {
    name: `g++-${triplet}`,
    why: `compiles for ${target}`,
    present: () => !isCross || findProgram(`${triplet}-g++`),
  },
  {
    name: 'qemu-user',
    why: `runs programs of ${target}`,
    present: () => !isCross || findProgram(emulator[0]),
  },
  { name: 'make', why: 'runs node-gyp', present: () => !wants('--prebuild') || findProgram('make') },
  { name: 'python3', why: 'runs node-gyp', present: () => !wants('--prebuild') || findProgram('python3') },
]

/** True when node_modules holds every package of package-lock.json at its version (other platforms' excepted). */
const modulesAreInstalled = () => {
  const installedFile = path.join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installedFile)) return false
  const packages = (file) => JSON.parse(readFileSync(file, 'utf8')).packages
  const installed = packages(installedFile)
  return Object.entries(packages(path.join(root, 'package-lock.json'))).every(
    ([name, { version, optional }]) =>
      name === '' || (optional && !installed[name]) || installed[name]?.version === version,
  )
}

const installTools = async (missing) => {
  const names = missing.map(({ name }) => name)
  if (!findProgram('apt-get')) {
    throw new StepError(
      `this machine lacks what the Debian packages ${names.join(', ')} bring, and has no apt-get. ` +
        'Install their counterparts (CMake 3.25 or newer) and run set-up again.',
    )
  }
  const isRoot = process.getuid() === 0
  if (!isRoot && !findProgram('sudo')) {
    throw new StepError(
      `installing ${names.join(', ')} needs root and there is no sudo. As root, run:\n` +
        `  apt-get update && apt-get install --no-install-recommends ${names.join(' ')}\nthen run set-up again.`,
    )
  }
  const apt = (...args) => {
    const command = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', ...args]
    return isRoot ? run(command[0], command.slice(1)) : run('sudo', command)
  }
  await apt('update')
  await apt('install', '-y', '--no-install-recommends', ...names)
  const still = missing.filter(({ present }) => !present()).map(({ name }) => name)
  if (still.length > 0) {
    throw new StepError(
      `apt-get installed ${still.join(', ')}, yet this system's version is too old (CMake 3.25 is needed: Debian 12, Ubuntu 24.04 or newer).`,
    )
  }
}

const installModules = () =>
  // No install script of any package is run; onnxruntime-node, a peer in tests, brings its CPU provider without one.
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: root,
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
  })

const plan = () => {
  const steps = []
  const missing = tools.filter(({ present }) => !present())
  if (missing.length > 0) {
    const through = process.getuid() === 0 ? '' : ', through sudo'
    const reasons = missing.map(({ name, why }) => `${name} (${why})`).join(', ')
    steps.push({ text: `install Debian packages${through}: ${reasons}`, work: () => installTools(missing) })
  }
  if (!modulesAreInstalled())
    steps.push({ text: 'install the npm packages of package-lock.json', work: installModules })
  if (!onednnIsBuilt()) {
    steps.push({
      text: `build oneDNN ${config.version} into ${onednnPrefix}: about ${expectedMinutes()} minutes here, once`,
      work: buildOnednn,
    })
  }
  if (isCross && !targetNodeIsFetched())
    steps.push({ text: `fetch Node.js for ${target} into ${targetNodePrefix}`, work: fetchTargetNode })
  if (wants('--cuda') && !cudaIsFetched()) {
    steps.push({ text: `fetch cuDNN and cuBLAS, about 1.5 GB, into ${cudaPrefix}`, work: fetchCuda })
  }
  return steps
}

const setUp = async () => {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 9)) {
    throw new StepError(`Node ${process.versions.node} is too old: 20.9 or newer is needed.`)
  }
  if (process.platform !== 'linux') throw new StepError(`building needs Linux; this is ${process.platform}.`)
  if (plan().length === 0) {
    console.log('set-up: nothing is missing')
    return
  }
  const announceWait = () => console.log('set-up: another set-up is running; waiting for it')
  await withLock(path.join(cacheRoot, 'setup.lock'), announceWait, async () => {
    const steps = plan() // again: the other set-up may have done it
    if (steps.length > 0) console.log('set-up will')
    for (const { text } of steps) console.log(`  - ${text}`)
    for (const { work } of steps) await work()
  })
  console.log('set-up: done')
}

await setUp().catch(exitWith)
