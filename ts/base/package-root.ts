import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The folder of this package, whether its modules lie side by side or in one file. */
export const packageRoot = findRoot(__dirname)

function findRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findRoot(dirname(folder))
}
