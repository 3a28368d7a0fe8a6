// npm run prebuildify: compiles what a release carries, into the package below platforms/ of this platform, or of the
// one that JCS_TARGET names. For this one build/ is removed: what lies there would be loaded before the package.
import { existsSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { root } from './paths.mjs'
import { exitWith, run, StepError } from './process.mjs'
import { isCross, target, targetArch, triplet } from './target.mjs'

// node-gyp wants Node's headers even for a target that compiles nothing. Most installations carry them; telling it so
// saves the download.
const nodeHeaders = () => {
  const prefix = path.resolve(path.dirname(process.execPath), '..')
  return existsSync(path.join(prefix, 'include', 'node', 'common.gypi')) ? { npm_config_nodedir: prefix } : {}
}

const prebuild = async () => {
  const folder = path.join(root, 'platforms', target)
  const prebuilds = path.join(folder, 'prebuilds')
  if (!existsSync(folder)) throw new StepError(`there is no package for this platform: ${folder} is missing`)
  rmSync(prebuilds, { recursive: true, force: true })
  const prebuildify = path.join(root, 'node_modules', '.bin', 'prebuildify')
  await run(
    prebuildify,
    [
      ...['--target', process.versions.node, '--arch', targetArch, '--napi', '--tag-libc', '--out', folder],
      ...['--strip', ...(isCross ? ['--strip-bin', `${triplet}-strip`] : [])],
    ],
    {
      cwd: root,
      env: { ...process.env, ...nodeHeaders() },
    },
  )
  await run(process.execPath, ['scripts/release-documents.mjs', prebuilds], { cwd: root })
}

/** node-gyp empties build/ and builds there, whatever it builds for. */
const prebuildApart = async () => {
  const build = path.join(root, 'build')
  const aside = path.join(root, 'build-aside')
  const keepsBuild = isCross && existsSync(build)
  if (keepsBuild) renameSync(build, aside)
  try {
    await prebuild()
  } finally {
    if (keepsBuild) {
      rmSync(build, { recursive: true, force: true })
      renameSync(aside, build)
    }
  }
  if (!isCross) rmSync(build, { recursive: true, force: true })
}

await prebuildApart().catch(exitWith)
