import path from 'node:path'
import { root } from './paths.mjs'
import { compileJobs, run } from './process.mjs'

/** Configures and builds a preset of CMakePresets.json, and gives its folder. */
export const buildPreset = async (preset) => {
  await run('cmake', ['--preset', preset], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  await run('cmake', ['--build', '--preset', preset, '-j', String(compileJobs(2))], { cwd: root })
  return path.join(root, `build-${preset}`)
}
