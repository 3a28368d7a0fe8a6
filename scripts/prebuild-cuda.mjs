// npm run prebuildify:cuda: compiles what the package @jcs-ct/cuda carries, for every GPU that a release knows, into cuda/.
import { chmodSync, statSync } from 'node:fs'
import path from 'node:path'
import { root } from './paths.mjs'
import { compileJobs, exitWith, run } from './process.mjs'

const compileFolder = path.join(root, 'build-cuda')
const files = ['libjcs_cuda.so', 'jcs_device_trial']

const prebuild = async () => {
  const options = ['JCS_ADDON=OFF', 'JCS_CPU=OFF', 'JCS_TESTS=OFF', 'JCS_CUDA=ON', 'JCS_CUDA_ARCHITECTURES=']
  const definitions = ['CMAKE_BUILD_TYPE=Release', ...options].map((option) => `-D${option}`)
  await run('cmake', ['-G', 'Ninja', '-B', compileFolder, ...definitions], { cwd: root })
  await run('ninja', ['-C', compileFolder, '-j', String(compileJobs()), 'jcs_cuda', 'jcs_device_trial'], {
    cwd: root,
  })
  for (const file of files) {
    const target = path.join(root, 'cuda', file)
    await run('strip', ['-o', target, path.join(compileFolder, 'Release', file)])
    chmodSync(target, 0o755)
    console.log(`cuda/${file}: ${(statSync(target).size / 2 ** 20).toFixed(1)} MiB`)
  }
}

await prebuild().catch(exitWith)
