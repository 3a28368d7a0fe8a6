// Where things lie: the repository, what set-up keeps per user, real data.
import { homedir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

/** The folder of everything that set-up keeps per user. */
export const cacheRoot = path.join(
  process.env.JCS_CACHE || process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'),
  'jcs-ct',
)

/** Real data for tests and experiments, beside the repository. */
export const sharedFolder = process.env.JCS_SHARED ?? path.join(root, '..', 'shared')
