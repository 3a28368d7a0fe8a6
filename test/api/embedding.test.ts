import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buildSync } from 'esbuild'
import t, { type Test } from 'tap'
import { repositoryRoot } from './small'

const execute = promisify(execFile)
const examples = join(repositoryRoot, 'examples', 'embedding')

const run = async (file: string, args: readonly string[] = []) =>
  (await execute(process.execPath, [file, ...args])).stdout.trim()

t.test('every way of loading gives the same', async (t) => {
  const esm = await run(join(examples, 'esm.mjs'))
  t.match(esm, /^0\.\d{6} 0\.\d{6}$/)
  t.equal(await run(join(examples, 'commonjs.cjs')), `${esm}\none instance`)
  const [one, other] = (await run(join(examples, 'worker-threads.mjs'))).split(' ')
  t.equal(one, other)
  t.equal(one, esm.split(' ')[0], 'whatever the number of threads')
})

/** A folder in which nothing but jcs-ct is installed. */
function application(t: Test): string {
  const directory = t.testdir({ node_modules: {} })
  symlinkSync(repositoryRoot, join(directory, 'node_modules', 'jcs-ct'))
  return directory
}

t.test('an application bundled by esbuild', async (t) => {
  const file = join(application(t), 'application.mjs')
  await run(join(examples, 'bundle.mjs'), [file])
  t.ok(readFileSync(file, 'utf8').length < 2000, 'the library is not in it')
  t.equal(await run(file), await run(join(examples, 'esm.mjs')))
})

t.test('an application that takes the library into its bundle is told not to', async (t) => {
  // A fixture would lie in the folder of this package.
  const folder = mkdtempSync(join(tmpdir(), 'jcs-bundle-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const bundled = join(folder, 'application.cjs')
  buildSync({
    stdin: {
      contents: `require('${join(repositoryRoot, 'dist', 'bundle.js')}')`,
      resolveDir: repositoryRoot,
    },
    outfile: bundled,
    bundle: true,
    platform: 'node',
    external: ['sharp', '@cornerstonejs/*', 'node-sqlite3-wasm'],
    logLevel: 'error',
  })
  await t.rejects(run(bundled), /keep it out of the bundle/)
})

t.test('no addon has buffers outside of V8’s memory, which Electron refuses', async (t) => {
  const addons = [join(repositoryRoot, 'build', 'Release'), ...prebuilds()]
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.node'))
        .map((name) => join(folder, name)),
    )
  t.ok(addons.length > 0)
  for (const addon of addons) {
    const bytes = readFileSync(addon)
    t.ok(bytes.includes('napi_create_arraybuffer'), 'names of what it imports are in it')
    for (const name of ['napi_create_external_arraybuffer', 'napi_create_external_buffer'])
      t.notOk(bytes.includes(name), `${addon}: ${name}`)
  }
})

/** Where addons of packages would lie that were built here. */
function prebuilds(): string[] {
  const platforms = join(repositoryRoot, 'platforms')
  return readdirSync(platforms).map((platform) => join(platforms, platform, 'prebuilds', platform))
}
