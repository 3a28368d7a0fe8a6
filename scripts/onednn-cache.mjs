// Where the pinned oneDNN lives on this machine.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { cacheRoot, root } from './paths.mjs'
import { isCross, target, targetArch, toolchain } from './target.mjs'

const folder = path.join(root, 'cmake', 'onednn')

/** The pinned version, its source with checksums, and its CMake settings. */
export const config = JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8'))

/** The settings for the target. oneDNN generates kernels for x64; of arm64 it would for SVE alone, untried here. */
export const settings = {
  ...config.cmake,
  ...(targetArch === 'x64' ? {} : config.cmakeBeyondX64),
  ...toolchain,
}

const sha256 = (data) => createHash('sha256').update(data).digest('hex')

/** The install prefix; its name changes with whatever defines the build. */
export const onednnPrefix = path.join(
  cacheRoot,
  `onednn-${config.version}-${sha256(
    readdirSync(folder)
      .sort()
      .map((file) => sha256(readFileSync(path.join(folder, file))))
      .join(''),
  ).slice(0, 12)}${isCross ? `-${target}` : ''}`,
)

/** True once the build is complete: it is installed beside and renamed into place. */
export const onednnIsBuilt = () => existsSync(path.join(onednnPrefix, 'lib', 'libdnnl.a'))
