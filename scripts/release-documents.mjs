// npm run release-documents -- FOLDER: what a release says of its parts. `sbom.cdx.json` lists all of them (CycloneDX),
// packages from npm and what is compiled in; `THIRD-PARTY-NOTICES` has the licences of the latter.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { config, onednnPrefix } from './onednn-cache.mjs'
import { root } from './paths.mjs'
import { exitWith, StepError } from './process.mjs'

const { name, version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
const manifestOf = (dependency) =>
  JSON.parse(readFileSync(path.join(root, 'node_modules', dependency, 'package.json'), 'utf8'))

const jsonVersion = () => {
  const header = readFileSync('/usr/include/nlohmann/detail/abi_macros.hpp', 'utf8')
  const part = (which) => new RegExp(`NLOHMANN_JSON_VERSION_${which} (\\d+)`).exec(header)?.[1]
  return ['MAJOR', 'MINOR', 'PATCH'].map(part).join('.')
}

/** What the addon and the backends have inside. */
const compiledIn = () => [
  {
    name: 'oneDNN',
    version: config.version,
    purl: `pkg:github/uxlfoundation/oneDNN@v${config.version}`,
    license: 'Apache-2.0',
    sha256: Object.entries(config.source.sha256).find(([file]) => file.endsWith('.orig.tar.xz'))[1],
    notices: () =>
      readFileSync(path.join(onednnPrefix, 'share', 'doc', 'dnnl', 'THIRD-PARTY-PROGRAMS'), 'utf8'),
  },
  {
    name: 'nlohmann-json',
    version: jsonVersion(),
    purl: `pkg:github/nlohmann/json@v${jsonVersion()}`,
    license: 'MIT',
    notices: () => readFileSync('/usr/share/doc/nlohmann-json3-dev/copyright', 'utf8'),
  },
  {
    name: 'node-addon-api',
    version: manifestOf('node-addon-api').version,
    purl: `pkg:npm/node-addon-api@${manifestOf('node-addon-api').version}`,
    license: 'MIT',
    notices: () => readFileSync(path.join(root, 'node_modules', 'node-addon-api', 'LICENSE.md'), 'utf8'),
  },
]

const billOfMaterials = (parts) => {
  const bill = JSON.parse(
    execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    }),
  )
  // npm's own --omit leaves out whatever bears the name of a package that is for development, too.
  const isForDevelopment = ({ properties = [] }) =>
    properties.some(({ name, value }) => name === 'cdx:npm:package:development' && value === 'true')
  const dropped = new Set(bill.components.filter(isForDevelopment).map((component) => component['bom-ref']))
  bill.components = bill.components.filter((component) => !dropped.has(component['bom-ref']))
  bill.dependencies = bill.dependencies
    .filter(({ ref }) => !dropped.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => !dropped.has(each)) }))
  // Of this package and its workspaces npm gives the folders' names.
  for (const component of [bill.metadata.component, ...bill.components])
    component.name = component['bom-ref'].replace(/@[^@]+$/, '')
  const own = bill.metadata.component['bom-ref']
  for (const { name, version, purl, license, sha256 } of parts) {
    const reference = `compiled-in:${name}@${version}`
    bill.components.push({
      'bom-ref': reference,
      type: 'library',
      name,
      version,
      scope: 'required',
      purl,
      licenses: [{ license: { id: license } }],
      ...(sha256 && { hashes: [{ alg: 'SHA-256', content: sha256 }] }),
    })
    bill.dependencies.find(({ ref }) => ref === own).dependsOn.push(reference)
    bill.dependencies.push({ ref: reference, dependsOn: [] })
  }
  return bill
}

const noticesOf = (parts) =>
  [
    `What the native libraries of ${name} ${version} have inside, with its licences.`,
    ...parts.map(
      ({ name, version, license, notices }) =>
        `${'='.repeat(80)}\n${name} ${version}, ${license}\n${'='.repeat(80)}\n\n${notices().trim()}`,
    ),
  ].join('\n\n')

const write = () => {
  const folder = process.argv[2]
  if (!folder) throw new StepError('usage: npm run release-documents -- FOLDER')
  const parts = compiledIn()
  mkdirSync(folder, { recursive: true })
  const bill = JSON.stringify(billOfMaterials(parts), undefined, 2)
  writeFileSync(path.join(folder, 'sbom.cdx.json'), `${bill}\n`)
  writeFileSync(path.join(folder, 'THIRD-PARTY-NOTICES'), `${noticesOf(parts)}\n`)
}

try {
  write()
} catch (error) {
  exitWith(error)
}
