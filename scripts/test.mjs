// The tests of npm test, set-up and build done: the native executables, then tap. The last line sums all counts.
// Arguments name TypeScript test files to run alone.
//
// A native executable ends with a line `N passed, N failed, N skipped`, and says of what it skips `SKIP <name>: <reason>`,
// or `SKIP <name>: <count> cases, <reason>`.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { root } from './paths.mjs'
import { exitWith, runForStatus, StepError } from './process.mjs'

const releaseFolder = path.join(root, 'build', 'Release')
/**
 * Executables with their options, before them what they are to find in the environment. Suites of one line run at once.
 * The CPU backend's has the processor to itself, as it measures rates.
 */
const nativeSuites = [
  [['jcs_native_tests']],
  [['jcs_conformance', '--backend', 'cpu']],
  // Convolutions once more as processors without AVX2 compute them, where loops take the place of generated kernels.
  [['ONEDNN_MAX_CPU_ISA=SSE41', 'jcs_conformance', '--backend', 'cpu', '--filter', 'conv2d']],
  [
    ['jcs_conformance', '--backend', 'cuda-emulated'],
    ['jcs_conformance', '--backend', 'cuda-emulated-reverse'],
  ],
  [
    ['jcs_conformance', '--backend', 'reference'],
    ['jcs_conformance', '--backend', 'cuda'],
    // Built where nvcc and cuDNN's headers are.
    ...(existsSync(path.join(releaseFolder, 'jcs_cuda_tests')) ? [['jcs_cuda_tests']] : []),
  ],
]
const summaryOf = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`

const runNative = async (words) => {
  console.log(`\n# ${words.join(' ')}`)
  const first = words.findIndex((word) => !word.includes('='))
  const [name, ...options] = words.slice(first)
  const settings = Object.fromEntries(words.slice(0, first).map((word) => word.split('=')))
  let counts
  const skips = []
  let explained = 0
  const executable = path.join(releaseFolder, name)
  if (!existsSync(executable)) throw new StepError(`${executable} is missing. Run \`npm run build\` first.`)
  const { code, signal } = await runForStatus(executable, options, {
    cwd: root,
    env: { ...process.env, ...settings },
    onLine(line) {
      const summary = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line)
      if (summary)
        counts = { passed: Number(summary[1]), failed: Number(summary[2]), skipped: Number(summary[3]) }
      const skip = /^SKIP [^:]+: (?:(\d+) cases, )?/.exec(line)
      if (skip) {
        skips.push(line)
        explained += Number(skip[1] ?? 1)
      }
    },
  })
  // A crash, or a failure that the executable did not count, is one failure.
  const isComplete = counts !== undefined
  counts ??= { passed: 0, failed: 0, skipped: 0 }
  if (counts.failed === 0 && (code !== 0 || !isComplete)) {
    console.error(`${name} ended with ${signal ?? code}`)
    counts.failed = 1
  }
  const unexplained = counts.skipped - explained
  if (unexplained > 0) skips.push(`SKIP ${name}: ${unexplained} cases, without a reason`)
  return { ...counts, skips }
}

const runTap = async (files) => {
  console.log('\n# tap')
  const outputFile = path.join(root, 'build', 'tap', 'output.tap')
  mkdirSync(path.dirname(outputFile), { recursive: true })
  const tap = path.join(root, 'node_modules', '.bin', 'tap')
  rmSync(outputFile, { force: true })
  // The live reporter moves the cursor; in a log only the failures are wanted.
  const reporter = process.stdout.isTTY ? 'terse' : 'min'
  const options = ['--no-color', `--reporter=${reporter}`, `--output-file=${outputFile}`]
  const { code, signal } = await runForStatus(tap, [...options, ...files], { cwd: root })
  const output = existsSync(outputFile) ? readFileSync(outputFile, 'utf8') : ''
  const totals = [...output.matchAll(/^# \{ total: .*\}$/gm)].at(-1)?.[0] ?? ''
  const count = (key) => Number(new RegExp(`${key}: (\\d+)`).exec(totals)?.[1] ?? 0)
  const counts = { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') }
  if (counts.passed + counts.failed === 0 || (code !== 0 && counts.failed === 0)) {
    console.error(`tap ended with ${signal ?? code} and ${totals === '' ? 'without totals' : totals}`)
    counts.failed = 1
  }
  for (const [line] of output.matchAll(/^(not )?ok \d+ - .*$/gm)) console.log(line)
  const skips = output.match(/^ *(not )?ok\b.*# (SKIP|TODO)\b.*$/gim) ?? []
  return { ...counts, skips: skips.map((line) => line.trim()) }
}

/** Skips that test/allowed-skips.txt does not allow. CI fails for them; elsewhere they are listed. */
const unexpectedSkips = (skips) => {
  const allowed = readFileSync(path.join(root, 'test', 'allowed-skips.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  return skips.filter((skip) => !allowed.some((phrase) => skip.includes(phrase)))
}

const test = async () => {
  const files = process.argv.slice(2)
  const results = []
  if (files.length === 0) {
    for (const suites of nativeSuites) results.push(...(await Promise.all(suites.map(runNative))))
  }
  results.push(await runTap(files))

  const total = (key) => results.reduce((sum, result) => sum + result[key], 0)
  const skips = unexpectedSkips(results.flatMap((result) => result.skips))
  const counts = { passed: total('passed'), failed: total('failed'), skipped: total('skipped') }
  if (skips.length > 0) console.log(`\nskipped, and not in test/allowed-skips.txt:\n  ${skips.join('\n  ')}`)
  console.log(`\n${summaryOf(counts)}`)
  process.exitCode = counts.failed > 0 || (process.env.CI && skips.length > 0) ? 1 : 0
}

await test().catch(exitWith)
