// npm run sanitize [address|thread]: builds and runs the tests under the sanitizers.
//
// address: AddressSanitizer with UndefinedBehaviorSanitizer under all native tests, conformance, and the addon in Node.
// thread:  ThreadSanitizer under all native tests; in Node it cannot run, since it must be there from the start and V8
//          was not built for it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { root } from './paths.mjs'
import { buildPreset } from './preset.mjs'
import { exitWith, run, runForStatus, StepError } from './process.mjs'

/** What of the TypeScript tests is worth the time: memory that crosses the border, threads, and whatever is hostile. */
const addonTests = ['hostile-native', 'images-hostile', 'model', 'dispose', 'workers', 'resume']

const environment = {
  ...process.env,
  // Tests ask for more memory than there is, and expect to be refused as the system would.
  ASAN_OPTIONS: 'allocator_may_return_null=1:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
  TAP_TIMEOUT: '1800', // seconds
  TSAN_OPTIONS: 'second_deadlock_stack=1:allocator_may_return_null=1',
}

const failed = []
const test = async (name, command, args, env) => {
  console.log(`\n# ${name}`)
  const { code, signal } = await runForStatus(command, args, { cwd: root, env })
  if (code !== 0) failed.push(`${name} (${signal ?? `exit ${code}`})`)
}

/** Runs TypeScript tests in a Node that has the sanitizer's runtime, on the addon of that build. */
const testAddon = async (buildFolder) => {
  const runtime = execFileSync(process.env.CXX ?? 'g++', ['-print-file-name=libasan.so'], {
    encoding: 'utf8',
  })
  const folder = mkdtempSync(path.join(os.tmpdir(), 'jcs-sanitize-'))
  try {
    symlinkSync(buildFolder, path.join(folder, 'build')) // node-gyp-build loads build/Release of the folder it is told
    const env = {
      ...environment,
      ASAN_OPTIONS: `${environment.ASAN_OPTIONS}:detect_leaks=0`, // V8 frees nothing at its end
      LD_PRELOAD: runtime.trim(),
      JCS_CT_PREBUILD: folder,
    }
    // Otherwise everything below could pass on an addon without sanitizers.
    const loads = `require('node-gyp-build')(${JSON.stringify(root)})
      process.exitCode = require('node:fs').readFileSync('/proc/self/maps', 'utf8').includes(process.argv[1]) ? 0 : 1`
    await run(process.execPath, ['-e', loads, path.join(buildFolder, 'Release', 'jcs.node')], {
      cwd: root,
      env,
    })
    for (const name of addonTests) {
      const file = path.join('test', 'api', `${name}.test.ts`)
      await test(`${file}, address`, process.execPath, ['--import', 'tsx', file], env)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const sanitizers = {
  async address() {
    const folder = await buildPreset('asan')
    for (const name of ['jcs_native_tests', 'jcs_conformance'])
      await test(`${name}, address`, path.join(folder, 'Release', name), [], environment)
    await testAddon(folder)
  },
  async thread() {
    const folder = await buildPreset('tsan')
    await test('jcs_native_tests, thread', path.join(folder, 'Release', 'jcs_native_tests'), [], environment)
  },
}

const sanitize = async () => {
  const [wanted] = process.argv.slice(2)
  if (wanted !== undefined && !(wanted in sanitizers))
    throw new StepError(`unknown sanitizer '${wanted}': address or thread.`)
  for (const name of wanted === undefined ? Object.keys(sanitizers) : [wanted]) await sanitizers[name]()
  if (failed.length > 0) throw new StepError(`failed: ${failed.join(', ')}`)
  console.log('\nsanitizers: nothing found')
}

await sanitize().catch(exitWith)
