// Proves that arrows point down, which folder may include or import which (docs/architecture.md), and that no two
// classes have one name.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { root } from './paths.mjs'

/** What each folder of native/ includes beside itself. `backend` and `communication` mean the contract,
 * not the folder of an implementation. */
const nativeLayers = {
  core: [],
  graph: ['core'],
  ops: ['graph', 'core'],
  communication: ['core'],
  'communication/mpi': ['communication', 'core'],
  backend: ['graph', 'core'],
  'backend/reference': ['backend', 'ops'],
  'backend/cpu': ['backend', 'communication', 'ops', 'core'],
  'backend/cuda': ['backend', 'communication', 'ops', 'core'],
  trial: ['backend'],
  compiler: ['backend', 'ops', 'graph', 'core'],
  runtime: ['compiler', 'backend', 'ops'],
  nn: ['ops', 'graph'],
  networks: ['nn', 'ops', 'graph'],
  io: ['ops', 'graph', 'core'],
  data: ['io', 'ops', 'core'],
  metrics: ['core'],
  measure: ['data', 'core'],
  model: ['data', 'io', 'networks', 'runtime', 'compiler', 'graph', 'core'],
  diagnosis: ['model', 'measure', 'metrics', 'data', 'networks', 'nn', 'compiler', 'ops', 'core'],
  train: [
    'diagnosis',
    'model',
    'metrics',
    'data',
    'io',
    'networks',
    'nn',
    'communication',
    'compiler',
    'ops',
    'graph',
    'core',
  ], // validates as a user would evaluate
  binding: [
    'train',
    'diagnosis',
    'model',
    'measure',
    'metrics',
    'data',
    'io',
    'runtime',
    'communication',
    'backend',
    'core',
  ],
}

/**
 * What each room of ts/ imports beside itself: a file at the top, which holds one public function or class, or the
 * folder of what serves it (`model` is model.ts and model/). '*': everything.
 */
const typescriptLayers = {
  base: [],
  threads: ['base'],
  volumes: [],
  dicom: ['volumes', 'threads', 'base'],
  nifti: ['volumes', 'threads', 'base'],
  images: ['dicom', 'nifti', 'volumes', 'threads', 'base'],
  datasets: ['images', 'base'],
  phantom: ['base'],
  run: ['images', 'base'],
  dicomweb: ['run', 'dicom', 'volumes', 'base'],
  native: ['run', 'images', 'base'],
  cases: ['native', 'run', 'images', 'volumes', 'base'],
  output: ['report', 'cases', 'native', 'nifti', 'dicom', 'images', 'volumes', 'run', 'base'],
  'open-case': ['cases', 'run', 'images', 'base'],
  'list-series': ['images', 'run', 'base'],
  devices: ['native'],
  metrics: ['native', 'base'],
  model: ['native', 'base'],
  inference: ['cases', 'native', 'run', 'base'],
  classify: ['inference', 'model', 'cases', 'run', 'images'],
  segment: ['inference', 'model', 'cases', 'run', 'images'],
  diagnosis: ['inference', 'model', 'cases', 'native', 'run', 'base'],
  diagnose: ['diagnosis', 'cases', 'run', 'images'],
  training: ['model', 'cases', 'native', 'run', 'images', 'datasets', 'base'],
  train: ['training', 'model', 'native', 'run', 'datasets', 'base'],
  evaluation: ['training', 'inference', 'model', 'cases', 'native', 'run', 'datasets', 'base'],
  evaluate: ['evaluation', 'inference', 'model', 'metrics', 'native', 'run', 'datasets'],
  calibrate: ['evaluation', 'inference', 'model', 'run', 'datasets', 'base'],
  quantize: ['evaluation', 'inference', 'model', 'cases', 'images', 'run', 'base'],
  'cross-validation': ['evaluate', 'evaluation', 'train', 'training', 'model', 'datasets', 'run', 'base'],
  'cross-validate': ['cross-validation', 'datasets', 'run'],
  reproduction: [
    'cross-validate',
    'cross-validation',
    'evaluate',
    'training',
    'classify',
    'segment',
    'phantom',
    'metrics',
    'report',
    'model',
    'run',
    'datasets',
    'base',
  ],
  reproduce: ['reproduction', 'run', 'base'],
  report: ['model', 'cases', 'run', 'images', 'base'],
  comparison: ['output', 'cases', 'volumes', 'run', 'base'],
  'compare-diagnoses': ['comparison', 'output', 'cases', 'volumes', 'run', 'base'],
  'find-series': ['dicomweb', 'run', 'base'],
  'fetch-series': ['dicomweb', 'run', 'base'],
  'store-instances': ['dicomweb', 'run', 'base'],
  'diagnose-study': [
    'fetch-series',
    'store-instances',
    'dicomweb',
    'output',
    'diagnose',
    'diagnosis',
    'cases',
    'run',
    'base',
  ],
  watching: [
    'fetch-series',
    'store-instances',
    'dicomweb',
    'report',
    'output',
    'diagnose',
    'cases',
    'dicom',
    'images',
    'run',
    'base',
  ],
  watch: ['watching', 'dicomweb', 'diagnose', 'diagnosis', 'base'],
  service: ['diagnosis', 'inference', 'model', 'cases', 'native', 'images', 'run', 'base'],
  http: [
    'service',
    'service-routes',
    'dicomweb',
    'fetch-series',
    'open-case',
    'output',
    'report',
    'cases',
    'images',
    'run',
    'base',
  ],
  'service-routes': ['http', 'run', 'base'],
  doctor: ['classify', 'devices', 'model', 'native', 'images', 'base'],
  demo: ['report', 'train', 'training', 'diagnose', 'model', 'open-case', 'run', 'phantom', 'dicom', 'base'],
  cli: '*',
  index: '*',
}

/** Libraries that only one folder may know. */
const ownedHeaders = [
  { header: /^(napi|node_api|js_native_api)/, owner: 'binding' },
  { header: /^(oneapi\/|dnnl)/, owner: 'backend/cpu' },
  { header: /^(cuda|cudnn|cublas|nvrtc)/, owner: 'backend/cuda' },
  { header: /^mpi\.h/, owner: 'communication/mpi' },
  { header: /^nlohmann\/json\.hpp/, owner: 'core' },
]

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
  return ['backend', 'communication'].includes(folders[0]) ? folders.slice(0, 2).join('/') : folders[0]
}

/** Judges every reference { from, to, where, what } between rooms by their table, and every grant by its use. */
const tableViolations = (name, layers, references) => {
  const used = new Set(references.map(({ from, to }) => `${from} ${to}`))
  const unused = Object.entries(layers).flatMap(([from, grants]) =>
    (grants === '*' ? [] : grants)
      .filter((to) => !used.has(`${from} ${to}`))
      .map((to) => `${name}/${from} may use ${to} and does not: take it from the table`),
  )
  const wrong = references
    .filter(({ from, to }) => from !== to && layers[from] !== '*' && !layers[from].includes(to))
    .map(({ from, where, what }) => `${where}: ${name}/${from} must not use ${what}`)
  return [...wrong, ...unused]
}

const nativeViolations = () => {
  const violations = []
  const references = []
  for (const file of sourcesUnder('native', /\.(h|cpp|cu|cuh)$/)) {
    const from = nativeFolderOf(path.relative('native', file))
    if (!nativeLayers[from]) {
      violations.push(`${file}: folder native/${from} is not in the list of scripts/lint-dependencies.mjs`)
      continue
    }
    for (const { text, line } of referencesIn(file, /^\s*#\s*include\s*[<"]([^>"]+)[>"]/g)) {
      const where = `${file}:${line}`
      const owned = ownedHeaders.find(({ header }) => header.test(text))
      if (owned && owned.owner !== from)
        violations.push(`${where}: ${text} belongs to native/${owned.owner} alone`)
      if (text.startsWith('.')) violations.push(`${where}: ${text} must be written relative to native/`)
      const to = nativeFolderOf(text)
      if (!owned && to in nativeLayers) references.push({ from, to, where, what: text })
    }
  }
  return [...violations, ...tableViolations('native', nativeLayers, references)]
}

/** What networks and kernels are written in: their names stand alone, as in `relu(conv2d(x, w))`. */
const languageFolders = ['core', 'graph', 'ops', 'nn', 'backend']
const namespaceOf = (folder) =>
  languageFolders.includes(folder)
    ? 'jcs'
    : `jcs::${folder.replace('backend/', '').replace('communication/', 'communication::')}`

/** Files whose outermost namespace is not their folder's, nor one within it. */
const namespaceViolations = () =>
  sourcesUnder('native', /\.(h|cpp|cu|cuh)$/).flatMap((file) => {
    const expected = namespaceOf(nativeFolderOf(path.relative('native', file)))
    const [, found] = readFileSync(path.join(root, file), 'utf8').match(/^namespace (\S+) \{$/m) ?? []
    const isWithin = expected !== 'jcs' && found?.startsWith(`${expected}::`)
    if (!found || found === expected || isWithin) return []
    return [`${file}: namespace ${found} must be ${expected}`]
  })

/**
 * Classes of one qualified name, which C++ takes for one: a violation that no compiler sees across files. Sources are
 * formatted, so what is at the first column belongs to a namespace; what an unnamed one holds is its file's own.
 */
const classViolations = () => {
  const places = new Map()
  for (const file of sourcesUnder('native', /\.(h|cpp|cu|cuh)$/)) {
    const namespaces = []
    readFileSync(path.join(root, file), 'utf8')
      .split('\n')
      .forEach((text, index) => {
        const opened = text.match(/^(?:inline )?namespace ?([\w:]*) \{$/)
        if (opened) namespaces.push(opened[1])
        if (/^\} {2}\/\/ namespace/.test(text)) namespaces.pop()
        const [, name] =
          text.match(
            /^(?:class|struct|union|enum class|enum) (?:alignas\(\w+\) )?([\w:]+(?:<[\w:]+>)?)[^;]*\{/,
          ) ?? []
        if (name === undefined || namespaces.includes('')) return
        const qualified = [...namespaces, name].join('::')
        places.set(qualified, [...(places.get(qualified) ?? []), `${file}:${index + 1}`])
      })
  }
  return [...places]
    .filter(([, where]) => where.length > 1)
    .map(([name, where]) => `${name} is defined more than once: ${where.join(', ')}`)
}

/** The room of a module below ts/, without its extension: 'model' of model and of model/spec. */
const roomOf = (module) => module.split('/')[0]

const typescriptViolations = () => {
  const violations = []
  const references = []
  const imports = new Map()
  const files = sourcesUnder('ts', /\.ts$/)
  for (const file of files) {
    const module = path.relative('ts', file).replace(/\.ts$/, '')
    const from = roomOf(module)
    if (!typescriptLayers[from]) {
      violations.push(`${file}: ts/${from} is not in the list of scripts/lint-dependencies.mjs`)
      continue
    }
    const pattern = /(?:\bfrom|\bimport|\bimport\(|\brequire\()\s*'([^']+)'/g
    const targets = []
    for (const { text, line } of referencesIn(file, pattern)) {
      const where = `${file}:${line}`
      if (text === 'node-gyp-build' && file !== 'ts/native.ts')
        violations.push(`${where}: only ts/native.ts loads the addon`)
      if (!text.startsWith('.')) continue
      const target = path.relative('ts', path.join(path.dirname(file), text))
      targets.push(files.includes(`ts/${target}.ts`) ? target : `${target}/index`)
      references.push({ from, to: roomOf(target), where, what: text })
    }
    imports.set(module, targets)
  }
  return [
    ...violations,
    ...tableViolations('ts', typescriptLayers, references),
    ...circlesOf(imports).map((circle) => `ts: imports in a circle: ${circle.join(' → ')}`),
  ]
}

/** The circles among modules, each as the way around it. */
const circlesOf = (imports) => {
  const circles = []
  const settled = new Set()
  const visit = (module, way) => {
    if (way.includes(module)) circles.push([...way.slice(way.indexOf(module)), module])
    if (way.includes(module) || settled.has(module)) return
    for (const target of imports.get(module) ?? []) visit(target, [...way, module])
    settled.add(module)
  }
  for (const module of imports.keys()) visit(module, [])
  return circles
}

const violations = [
  ...nativeViolations(),
  ...namespaceViolations(),
  ...classViolations(),
  ...typescriptViolations(),
]
for (const violation of violations) console.error(violation)
console.log(
  violations.length === 0
    ? 'dependencies: every arrow points down'
    : `dependencies: ${violations.length} wrong`,
)
process.exitCode = violations.length === 0 ? 0 : 1
