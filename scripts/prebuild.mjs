// npm run prebuildify: compiles what a release carries, into prebuilds/. build/ is emptied on the way.
import { rmSync } from 'node:fs'
import path from 'node:path'
import { root } from './onednn-cache.mjs'
import { exitWith, run } from './process.mjs'

const prebuild = async () => {
  rmSync(path.join(root, 'prebuilds'), { recursive: true, force: true })
  const prebuildify = path.join(root, 'node_modules', '.bin', 'prebuildify')
  await run(prebuildify, ['--napi', '--strip', '--tag-libc'], { cwd: root })
  // What lies in build/Release would be loaded before prebuilds/, now and after the next change of the sources.
  rmSync(path.join(root, 'build'), { recursive: true, force: true })
}

await prebuild().catch(exitWith)
