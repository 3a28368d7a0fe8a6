// npm run lint checks; npm run format (--fix) repairs what can be repaired by a machine.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { root } from './paths.mjs'
import { exitWith, findProgram, run, StepError } from './process.mjs'

const fix = process.argv.includes('--fix')
const bin = (name) => path.join(root, 'node_modules', '.bin', name)

// Versions of clang-format differ in taste, so one is pinned: Debian 12's.
const formatCpp = async () => {
  const sources = execFileSync(
    'git',
    ['ls-files', '-co', '--exclude-standard', '*.h', '*.cpp', '*.cu', '*.cuh'],
    {
      cwd: root,
      encoding: 'utf8',
    },
  )
    .split('\n')
    .filter((file) => file !== '' && existsSync(path.join(root, file)))
  const clangFormat = findProgram('clang-format-14')
  if (!clangFormat) throw new StepError('clang-format-14 is missing. Run `npm run setup -- --lint`.')
  await run(clangFormat, [...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...sources], { cwd: root })
}

const checks = [
  [
    'biome',
    () => run(bin('biome'), ['check', ...(fix ? ['--write'] : ['--error-on-warnings'])], { cwd: root }),
  ],
  ['clang-format', formatCpp],
  ...(fix
    ? []
    : [
        ['tsc', () => run(bin('tsc'), ['-p', 'tsconfig.json'], { cwd: root })],
        ['dependencies', () => run(process.execPath, ['scripts/lint-dependencies.mjs'], { cwd: root })],
      ]),
]

const lint = async () => {
  const failed = []
  for (const [name, check] of checks) {
    try {
      await check()
    } catch (error) {
      console.error(`${name}: ${error.message}`)
      failed.push(name)
    }
  }
  if (failed.length > 0) throw new StepError(`lint failed: ${failed.join(', ')}`)
}

await lint().catch(exitWith)
