// npm run build [native|ts]: builds what changed.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { root } from './onednn-cache.mjs'
import { compileJobs, exitWith, run, StepError } from './process.mjs'

const buildFolder = path.join(root, 'build')

const buildNative = async () => {
  if (!existsSync(path.join(root, 'node_modules', 'node-api-headers'))) {
    throw new StepError('the Node headers are missing. Run `npm run setup` first.')
  }
  // Warnings are errors for CI; a user whose newer compiler knows new ones is not stopped by them.
  const strict = process.env.CI ? 'ON' : 'OFF'
  await run('cmake', ['-G', 'Ninja', '-S', root, '-B', buildFolder, `-DJCS_WERROR=${strict}`], {
    stdio: ['ignore', 'ignore', 'inherit'], // what CMake has to say beside warnings and errors is of no interest
  })
  await run('cmake', ['--build', buildFolder, '-j', String(compileJobs())])
}

const buildTypeScript = () =>
  run(
    process.execPath,
    [path.join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'],
    {
      cwd: root,
    },
  )

const build = async () => {
  const what = process.argv[2] ?? 'all'
  if (!['all', 'native', 'ts'].includes(what)) throw new StepError(`unknown part '${what}': native or ts.`)
  if (what !== 'ts') await buildNative()
  if (what !== 'native') await buildTypeScript()
}

await build().catch(exitWith)
