// Where the pinned oneDNN lives on this machine. cmake/FindOneDnn.cmake computes the same path.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

const folder = path.join(root, 'cmake', 'onednn')

/** The pinned version, its source with checksums, and its CMake settings. */
export const config = JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8'))

const sha256 = (data) => createHash('sha256').update(data).digest('hex')

/** The folder of everything that set-up keeps per user. */
export const cacheRoot = path.join(
  process.env.JCS_CACHE || process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'),
  'jcs-ct',
)

/** The install prefix; its name changes with whatever defines the build. */
export const onednnPrefix = path.join(
  cacheRoot,
  `onednn-${config.version}-${sha256(
    ['config.json', 'hooks.cmake', 'spdlogConfig.cmake']
      .map((file) => sha256(readFileSync(path.join(folder, file))))
      .join(''),
  ).slice(0, 12)}`,
)

/** True once the build is complete: it is installed beside and renamed into place. */
export const onednnIsBuilt = () => existsSync(path.join(onednnPrefix, 'lib', 'libdnnl.a'))
