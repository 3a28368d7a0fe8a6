import { existsSync } from 'node:fs'
import { join } from 'node:path'

export const sharedFolder = process.env.JCS_SHARED ?? join(__dirname, '../../../shared')

/** Real CT data for tests. It is not part of the project; JCS_SHARED says where it lies, `../shared` unless set. */
export const sharedData = {
  /** The reason for a test to be skipped, or false. */
  missing: existsSync(join(sharedFolder, 'data'))
    ? false
    : `real data not found in '${sharedFolder}'; set JCS_SHARED to its folder`,
  path: (name: string) => join(sharedFolder, 'data', name),
}
