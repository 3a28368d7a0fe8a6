import { existsSync } from 'node:fs'
import { join } from 'node:path'

const root = process.env.JCS_SHARED ?? join(__dirname, '../../../shared')

/** Real CT data for tests. It is not part of the project; JCS_SHARED says where it lies, `../shared` unless set. */
export const sharedData = {
  /** The reason for a test to be skipped, or false. */
  missing: existsSync(join(root, 'data'))
    ? false
    : `real data not found in '${root}'; set JCS_SHARED to its folder`,
  path: (name: string) => join(root, 'data', name),
}
