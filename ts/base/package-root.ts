import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { JcsError } from './errors'

/** The folder of this package, whether its modules lie side by side or in one file. */
export const packageRoot = findRoot(__dirname)

/** Addon and threads are files of the package, which an application's bundle leaves behind: that is said at once. */
function findRoot(folder: string): string {
  const manifest = join(folder, 'package.json')
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'jcs-ct') return folder
  if (folder !== dirname(folder)) return findRoot(dirname(folder))
  throw new JcsError(
    'NATIVE_LOAD_FAILED',
    `${__dirname} is not in the package jcs-ct: keep it out of the bundle, as \`external\` of esbuild does`,
  )
}
