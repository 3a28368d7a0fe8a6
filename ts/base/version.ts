import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from './package-root'

const manifest = readFileSync(join(packageRoot, 'package.json'), 'utf8')

/** Of this package. */
export const { version } = JSON.parse(manifest) as { version: string }
