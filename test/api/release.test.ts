import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Spec, Validation } from '@cyclonedx/cyclonedx-library'
import t from 'tap'
import { repositoryRoot } from './small'

const execute = promisify(execFile)
const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8')

t.test('a release lists its parts, those that are compiled in as well, with their licences', async (t) => {
  const folder = t.testdir()
  await execute(process.execPath, [join(repositoryRoot, 'scripts/release-documents.mjs'), folder])
  const text = readFileSync(join(folder, 'sbom.cdx.json'), 'utf8')
  const bill = JSON.parse(text)
  t.equal(await new Validation.JsonStrictValidator(Spec.Version.v1dot5).validate(text), null)
  t.match(bill.metadata.component, { name: 'jcs-ct', version: JSON.parse(read('package.json')).version })

  const listed = new Map<string, string>(
    bill.components.map(({ name, version }: { name: string; version: string }) => [name, version]),
  )
  const { dependencies } = JSON.parse(read('package.json'))
  const lock = JSON.parse(read('package-lock.json'))
  for (const name of Object.keys(dependencies))
    t.equal(listed.get(name), lock.packages[`node_modules/${name}`].version, name)
  t.equal(listed.get('oneDNN'), JSON.parse(read('cmake/onednn/config.json')).version)
  t.notOk(listed.has('tap'), 'and not what only tests use')

  const notices = readFileSync(join(folder, 'THIRD-PARTY-NOTICES'), 'utf8')
  for (const holder of ['MITSUNARI Shigeo', 'Niels Lohmann', 'Node.js API collaborators'])
    t.match(notices, holder)
})

t.test('packages of one release have one version', async (t) => {
  const { version, optionalDependencies } = JSON.parse(read('package.json'))
  const platforms = readdirSync(join(repositoryRoot, 'platforms'))
  t.strictSame(platforms.sort(), ['linux-arm64', 'linux-x64'])
  for (const platform of platforms) {
    t.equal(optionalDependencies[`@jcs-ct/${platform}`], version)
    const manifest = JSON.parse(read(`platforms/${platform}/package.json`))
    t.match(manifest, { name: `@jcs-ct/${platform}`, version })
    t.equal(`${manifest.os}-${manifest.cpu}`, platform)
    t.equal(read(`platforms/${platform}/NOTICE`), read('NOTICE'))
  }
  t.equal(JSON.parse(read('cuda/package.json')).version, version)
})

t.test('what is released is in the list of changes', async (t) => {
  const headings = [...read('CHANGELOG.md').matchAll(/^## (\S+)/gm)].map(([, heading]) => heading)
  t.equal(headings[0], 'Unreleased')
  for (const heading of headings.slice(1)) t.match(heading, /^\d+\.\d+\.\d+$/)
})
