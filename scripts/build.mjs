// npm run build [native|ts|runtime]: builds what changed; for `runtime`, only what a process on this machine runs: no
// native tests, no MPI, and no CUDA backend where there is no GPU.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { root } from './paths.mjs'
import { compileJobs, exitWith, run, StepError } from './process.mjs'
import { buildFolder, isCross, toolchain } from './target.mjs'

/** The compute capabilities of this machine's GPUs, as '90'. */
const gpuArchitectures = () => {
  const query = ['--query-gpu=compute_cap', '--format=csv,noheader']
  const { stdout } = spawnSync('nvidia-smi', query, { encoding: 'utf8' })
  const capabilities = (stdout ?? '').match(/^\d+\.\d+$/gm) ?? []
  return [...new Set(capabilities.map((text) => text.replace('.', '')))]
}

const buildNative = async (target = 'all') => {
  if (!existsSync(path.join(root, 'node_modules', 'node-api-headers'))) {
    throw new StepError('the Node headers are missing. Run `npm run setup` first.')
  }
  // Warnings are errors for CI; a user whose newer compiler knows new ones is not stopped by them.
  const strict = process.env.CI ? 'ON' : 'OFF'
  const gpus = gpuArchitectures()
  // Without a GPU the backend is built for one kind, to see that kernels compile; releases name all of theirs.
  const architectures = process.env.JCS_CUDA_ARCHITECTURES || gpus.join(';') || '90'
  const options = [
    `-DJCS_WERROR=${strict}`,
    `-DJCS_CUDA_ARCHITECTURES=${architectures}`,
    `-DJCS_HAS_GPU=${gpus.length > 0 ? 'ON' : 'OFF'}`,
  ]
  if (isCross) options.push('-DJCS_CUDA=OFF', '-DJCS_MPI=OFF') // nothing of theirs is here for another platform
  for (const [name, value] of Object.entries(toolchain)) options.push(`-D${name}=${value}`)
  if (process.env.CI) options.push('-DJCS_BENCH=ON') // nobody else would notice that they no longer compile
  await run('cmake', ['-G', 'Ninja', '-S', root, '-B', buildFolder, ...options], {
    stdio: ['ignore', 'ignore', 'inherit'], // what CMake has to say beside warnings and errors is of no interest
  })
  await run('cmake', ['--build', buildFolder, '--target', target, '-j', String(compileJobs())])
}

/**
 * Has a bundle load what it requires when that is first used: half of the time that importing the library took went into
 * modules that most processes never call. As esbuild writes it, a module is `var import_name = require("name")`, and used
 * through that name alone.
 */
const requireLate = (text) => {
  let late = text
  for (const [line, name, call] of text.matchAll(/^var (import_\w+) = (require\("[^"]+"\));$/gm)) {
    late = late.replace(line, '').replaceAll(new RegExp(`\\b${name}\\b`, 'g'), `${name}()`)
    late = `${late}var ${name}_loaded;\nfunction ${name}() {\n  return ${name}_loaded ??= ${call};\n}\n`
  }
  return late
}

/**
 * Modules for the command line and for worker threads, and all that `jcs-ct` exports in one file, which loads faster.
 * ESM gets the names out of that file, so that both kinds of import share the one instance: `export *` would have Node
 * read the whole file in search of them.
 */
const buildTypeScript = async () => {
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  await run(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root })
  const { buildSync } = await import('esbuild')
  buildSync({
    absWorkingDir: root,
    entryPoints: ['ts/index.ts'],
    outfile: 'dist/bundle.js',
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'warning',
  })
  const bundle = path.join(root, 'dist', 'bundle.js')
  writeFileSync(bundle, requireLate(readFileSync(bundle, 'utf8')))
  const names = Object.keys(createRequire(import.meta.url)(bundle)).sort()
  writeFileSync(
    path.join(root, 'dist', 'index.mjs'),
    `import { createRequire } from 'node:module'\n\nexport const {\n  ${names.join(',\n  ')},\n} = createRequire(import.meta.url)('./bundle.js')\n`,
  )
}

const build = async () => {
  const what = process.argv[2] ?? 'all'
  if (!['all', 'native', 'ts', 'runtime'].includes(what))
    throw new StepError(`unknown part '${what}': native, ts or runtime.`)
  if (what !== 'ts') await buildNative(what === 'runtime' ? 'jcs_runtime' : 'all')
  if (what !== 'native') await buildTypeScript()
}

await build().catch(exitWith)
