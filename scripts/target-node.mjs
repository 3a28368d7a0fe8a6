// Node.js for the platform that JCS_TARGET names, from npm's registry, of the version that runs here.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { cacheRoot } from './paths.mjs'
import { run } from './process.mjs'
import { target } from './target.mjs'

export const targetNodePrefix = path.join(cacheRoot, `node-${target}-${process.versions.node}`)
export const targetNode = path.join(targetNodePrefix, 'bin', 'node')

/** True once all is there: it is fetched beside and renamed into place. */
export const targetNodeIsFetched = () => existsSync(targetNodePrefix)

export const fetchTargetNode = async () => {
  const partial = `${targetNodePrefix}.partial`
  rmSync(partial, { recursive: true, force: true })
  mkdirSync(partial, { recursive: true })
  const name = `node-${target}@${process.versions.node}`
  await run('npm', ['pack', '--silent', '--pack-destination', partial, name])
  const [tarball] = readdirSync(partial)
  await run('tar', ['-xzf', path.join(partial, tarball), '-C', partial])
  renameSync(path.join(partial, 'package'), targetNodePrefix)
  rmSync(partial, { recursive: true })
}
