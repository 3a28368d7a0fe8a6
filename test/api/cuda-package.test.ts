import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { DeviceInfo } from '../../ts/index'
import { repositoryRoot } from './small'

const library = join(repositoryRoot, 'build', 'Release', 'libjcs_cuda.so')

/**
 * The package jcs-ct as npm installs it, with no CUDA backend beside the addon; outside of the repository, whose packages
 * would be found from within.
 */
function install(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'jcs-cuda-package-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const modules = join(folder, 'node_modules')
  for (const file of [
    'build/Release/jcs.node',
    'build/Release/libjcs_cpu.so',
    'dist/bundle.js',
    'package.json',
  ])
    cpSync(join(repositoryRoot, file), join(modules, 'jcs-ct', file))
  for (const name of ['node-gyp-build', 'dicom-parser'])
    symlinkSync(join(repositoryRoot, 'node_modules', name), join(modules, name))
  return folder
}

function cudaDevice(folder: string): DeviceInfo {
  const script = "console.log(JSON.stringify(require('jcs-ct').devices()))"
  const output = execFileSync(process.execPath, ['-e', script], { cwd: folder, encoding: 'utf8' })
  return (JSON.parse(output) as DeviceInfo[]).find(({ kind }) => kind === 'cuda')!
}

t.test(
  'the CUDA backend is a package that is found when it is installed',
  { skip: existsSync(library) ? false : 'this build has no CUDA backend' },
  (t) => {
    const folder = install(t)
    t.match(cudaDevice(folder), { available: false, reason: /npm install @jcs-ct\/cuda/ })

    const cuda = join(folder, 'node_modules', '@jcs-ct', 'cuda')
    mkdirSync(cuda, { recursive: true })
    writeFileSync(join(cuda, 'package.json'), '{ "name": "@jcs-ct/cuda" }')
    t.match(cudaDevice(folder).reason, /npm install @jcs-ct\/cuda/, 'a package without its library is none')
    symlinkSync(library, join(cuda, 'libjcs_cuda.so'))
    const { available, reason = '' } = cudaDevice(folder)
    t.ok(available || /driver|GPU|cuDNN|cuBLAS/.test(reason), `the library itself answers: ${reason}`)
    t.end()
  },
)
