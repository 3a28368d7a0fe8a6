// JCS_TARGET=linux-arm64 npm run check:target: sets up and builds for another platform, and runs there, which is in qemu,
// the native tests and every kernel of the CPU backend against the reference.
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { root } from './paths.mjs'
import { exitWith, run, StepError } from './process.mjs'
import { buildFolder, emulator, isCross, target } from './target.mjs'

const suites = [['jcs_conformance', '--backend', 'cpu'], ['jcs_native_tests']]

const check = async () => {
  if (!isCross) throw new StepError('name another platform in JCS_TARGET; for this one there is `npm test`.')
  await run(process.execPath, ['scripts/setup.mjs'], { cwd: root })
  await run(process.execPath, ['scripts/build.mjs', 'native'], { cwd: root })
  const folder = path.join(buildFolder, 'Release')
  console.log(`${target}: ${readdirSync(folder).join(', ')}`)
  const [program, ...options] = emulator
  for (const [name, ...words] of suites) {
    console.log(`\n# ${[name, ...words].join(' ')}`)
    await run(program, [...options, path.join(folder, name), ...words], { cwd: root })
  }
}

await check().catch(exitWith)
