// Fetches the libraries of NVIDIA that the CUDA backend is built against and opens, as pip's packages, into a virtual
// environment in the user's cache. cmake/JcsCudaBackend.cmake and native/backend/cuda/shared_library.cpp look there.
import { spawnSync } from 'node:child_process'
import { existsSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { cacheRoot } from './paths.mjs'
import { run } from './process.mjs'

const packages = ['nvidia-cudnn-cu13>=9.8,<10', 'nvidia-cublas>=13,<14']

export const cudaPrefix = path.join(cacheRoot, 'cuda13')

/** True once all is there: it is fetched beside and renamed into place. */
export const cudaIsFetched = () => existsSync(cudaPrefix)

export const canMakeEnvironments = () =>
  spawnSync('python3', ['-c', 'import ensurepip, venv'], { stdio: 'ignore' }).status === 0

export const fetchCuda = async () => {
  const partial = `${cudaPrefix}.partial`
  rmSync(partial, { recursive: true, force: true })
  await run('python3', ['-m', 'venv', partial])
  await run(path.join(partial, 'bin', 'python'), ['-m', 'pip', 'install', '--no-cache-dir', ...packages])
  renameSync(partial, cudaPrefix)
}
