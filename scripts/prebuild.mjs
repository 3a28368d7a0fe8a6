// npm run prebuildify: compiles what a release carries, into this platform's package below platforms/. build/ is emptied
// on the way.
import { existsSync, rmSync } from 'node:fs'
import path from 'node:path'
import { root } from './paths.mjs'
import { exitWith, run, StepError } from './process.mjs'

// node-gyp wants Node's headers even for a target that compiles nothing. Most installations carry them; telling it so
// saves the download.
const nodeHeaders = () => {
  const prefix = path.resolve(path.dirname(process.execPath), '..')
  return existsSync(path.join(prefix, 'include', 'node', 'common.gypi')) ? { npm_config_nodedir: prefix } : {}
}

const prebuild = async () => {
  const folder = path.join(root, 'platforms', `${process.platform}-${process.arch}`)
  const prebuilds = path.join(folder, 'prebuilds')
  if (!existsSync(folder)) throw new StepError(`there is no package for this platform: ${folder} is missing`)
  rmSync(prebuilds, { recursive: true, force: true })
  const prebuildify = path.join(root, 'node_modules', '.bin', 'prebuildify')
  await run(
    prebuildify,
    ['--target', process.versions.node, '--napi', '--strip', '--tag-libc', '--out', folder],
    {
      cwd: root,
      env: { ...process.env, ...nodeHeaders() },
    },
  )
  await run(process.execPath, ['scripts/release-documents.mjs', prebuilds], { cwd: root })
  // What lies in build/Release would be loaded before that, now and after the next change of the sources.
  rmSync(path.join(root, 'build'), { recursive: true, force: true })
}

await prebuild().catch(exitWith)
