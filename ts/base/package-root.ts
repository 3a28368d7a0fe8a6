import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const packageName = 'jcs-ct'

/** The folder of this package, whether its modules lie side by side or in one file. */
export const packageRoot = findRoot(__dirname)

/** Bundled into an application, the package is wherever that has it installed: addon and threads are files there. */
function findRoot(folder: string): string {
  if (nameIn(join(folder, 'package.json')) === packageName) return folder
  if (folder !== dirname(folder)) return findRoot(dirname(folder))
  return dirname(require.resolve(`${packageName}/package.json`))
}

function nameIn(manifest: string): unknown {
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).name : undefined
}
