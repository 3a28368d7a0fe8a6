// Called by binding.gyp: compiles through cmake-js and puts what is loadable where prebuildify looks for it.
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { root } from './paths.mjs'
import { compileJobs, exitWith, run } from './process.mjs'
import { isCross, target as platform, toolchain } from './target.mjs'

// node-gyp empties build/ before it starts, so the objects live elsewhere and a second run is quick.
const compileFolder = path.join(root, `build-prebuild${isCross ? `-${platform}` : ''}`)

const compile = async () => {
  const target = process.argv[2] ?? path.join(root, 'build', 'Release')
  const cmakeJs = path.join(root, 'node_modules', '.bin', 'cmake-js')
  const options = ['--out', compileFolder, '--config', 'Release', '--generator', 'Ninja', '--CDJCS_TESTS=OFF']
  // The CUDA backend is a package of its own: with it, this one would exceed what registries take.
  options.push('--CDJCS_CUDA=OFF')
  if (isCross) options.push('--CDJCS_MPI=OFF') // there is none for another platform here
  for (const [name, value] of Object.entries(toolchain)) options.push(`--CD${name}=${value}`)
  await run(cmakeJs, ['compile', ...options, '--parallel', String(compileJobs())], { cwd: root })
  mkdirSync(target, { recursive: true })
  const built = path.join(compileFolder, 'Release')
  for (const name of readdirSync(built).filter((file) => /\.(node|so)$/.test(file))) {
    copyFileSync(path.join(built, name), path.join(target, name))
  }
}

await compile().catch(exitWith)
