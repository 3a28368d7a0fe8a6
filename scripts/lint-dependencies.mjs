// Proves that arrows point down: which folder may include or import which (docs/architecture.md).
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { root } from './onednn-cache.mjs'

const allBelowTraining = [
  'core',
  'graph',
  'ops',
  'backend',
  'compiler',
  'runtime',
  'nn',
  'networks',
  'io',
  'model',
  'data',
  'metrics',
]

/** What each folder of native/ may include beside itself. `backend` means the contract, not a backend's own folder. */
const nativeLayers = {
  core: [],
  graph: ['core'],
  ops: ['graph', 'core'],
  backend: ['ops', 'graph', 'core'],
  'backend/reference': ['backend', 'ops', 'graph', 'core'],
  'backend/cpu': ['backend', 'ops', 'graph', 'core'],
  'backend/cuda': ['backend', 'ops', 'graph', 'core'],
  compiler: ['backend', 'ops', 'graph', 'core'],
  runtime: ['compiler', 'backend', 'ops', 'graph', 'core'],
  nn: ['ops', 'graph', 'core'],
  networks: ['nn', 'ops', 'graph', 'core'],
  io: ['networks', 'ops', 'graph', 'core'],
  data: ['io', 'ops', 'graph', 'core'],
  metrics: ['core'],
  model: ['runtime', 'compiler', 'backend', 'networks', 'nn', 'io', 'ops', 'graph', 'core'],
  diagnosis: allBelowTraining,
  train: [...allBelowTraining, 'diagnosis'], // validates as a user would evaluate
  binding: [...allBelowTraining, 'train', 'diagnosis'],
}

/** Libraries that only one folder may know. */
const ownedHeaders = [
  { header: /^(napi|node_api|js_native_api)/, owner: 'binding' },
  { header: /^(oneapi\/|dnnl)/, owner: 'backend/cpu' },
  { header: /^(cuda|cudnn|cublas|nvrtc)/, owner: 'backend/cuda' },
]

/** ts/ folders that stand below the functions of the API, and know nothing of them but the types of their results. */
const leafFolders = ['report', 'images', 'datasets']
const apiModules = ['index', 'train', 'classify', 'segment', 'diagnose', 'evaluate', 'model', 'native']

const sourcesUnder = (folder, pattern) =>
  readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name)))
    .sort()

/** Every match of `pattern` in the file, as { text, line }. */
const referencesIn = (file, pattern) =>
  readFileSync(path.join(root, file), 'utf8')
    .split('\n')
    .flatMap((text, index) =>
      [...text.matchAll(pattern)].map((match) => ({ text: match[1], line: index + 1 })),
    )

const nativeFolderOf = (file) => {
  const folders = path.dirname(file).split('/')
  return folders[0] === 'backend' ? folders.slice(0, 2).join('/') : folders[0]
}

const nativeViolations = () =>
  sourcesUnder('native', /\.(h|cpp|cu|cuh)$/).flatMap((file) => {
    const folder = nativeFolderOf(path.relative('native', file))
    const allowed = nativeLayers[folder]
    if (!allowed)
      return [`${file}: folder native/${folder} is not in the list of scripts/lint-dependencies.mjs`]
    return referencesIn(file, /^\s*#\s*include\s*[<"]([^>"]+)[>"]/g).flatMap(({ text, line }) => {
      const where = `${file}:${line}`
      const owned = ownedHeaders.find(({ header }) => header.test(text))
      if (owned)
        return owned.owner === folder ? [] : [`${where}: ${text} belongs to native/${owned.owner} alone`]
      if (text.startsWith('.')) return [`${where}: ${text} must be written relative to native/`]
      const target = nativeFolderOf(text)
      if (!(target in nativeLayers) || target === folder || allowed.includes(target)) return []
      return [`${where}: native/${folder} must not include ${text}`]
    })
  })

const typescriptViolations = () =>
  sourcesUnder('ts', /\.ts$/).flatMap((file) => {
    const top = path.relative('ts', file).split('/')[0]
    const source = readFileSync(path.join(root, file), 'utf8').split('\n')
    return referencesIn(file, /(?:\bfrom|\bimport|\bimport\(|\brequire\()\s*'([^']+)'/g).flatMap(
      ({ text, line }) => {
        const isTypeOnly = /^\s*import type\b/.test(source[line - 1])
        const where = `${file}:${line}`
        if (text === 'node-gyp-build')
          return file === 'ts/native.ts' ? [] : [`${where}: only ts/native.ts loads the addon`]
        if (!text.startsWith('.')) return []
        const target = path.relative('ts', path.join(path.dirname(file), text)).replace(/\.js$/, '')
        const targetTop = target.split('/')[0]
        if (targetTop === 'cli' && top !== 'cli') return [`${where}: nothing imports ts/cli`]
        if (leafFolders.includes(top) && apiModules.includes(target) && !isTypeOnly)
          return [`${where}: ts/${top} must not import ${text}`]
        return []
      },
    )
  })

const violations = [...nativeViolations(), ...typescriptViolations()]
for (const violation of violations) console.error(violation)
console.log(
  violations.length === 0
    ? 'dependencies: every arrow points down'
    : `dependencies: ${violations.length} wrong`,
)
process.exitCode = violations.length === 0 ? 0 : 1
