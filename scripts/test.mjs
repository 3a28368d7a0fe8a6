// The tests of npm test, set-up and build done: the native executables, then tap. The last line sums all counts.
// Arguments name TypeScript test files to run alone.
//
// A native executable ends with a line `N passed, N failed, N skipped`, and prints `skipped: <name>: <reason>` for each
// case that it skips.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { root } from './onednn-cache.mjs'
import { exitWith } from './process.mjs'

const nativeSuites = ['jcs_native_tests', 'jcs_conformance']
const releaseFolder = path.join(root, 'build', 'Release')
const summaryOf = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`

/** Runs a program in our terminal, also handing its standard output line by line to `onLine`. */
const runSuite = (command, args, { onLine, ...options }) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', onLine ? 'pipe' : 'inherit', 'inherit'],
      ...options,
    })
    if (onLine) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        console.log(line)
        onLine(line)
      })
    }
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? code))
  })

const runNative = async (name) => {
  console.log(`\n# ${name}`)
  let counts
  const skips = []
  const status = await runSuite(path.join(releaseFolder, name), [], {
    onLine(line) {
      const summary = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line)
      if (summary)
        counts = { passed: Number(summary[1]), failed: Number(summary[2]), skipped: Number(summary[3]) }
      if (line.startsWith('skipped: ')) skips.push(line)
    },
  })
  counts ??= { passed: 0, failed: 0, skipped: 0 }
  // A crash, or a failure that the executable did not count, is one failure.
  if (status !== 0 && counts.failed === 0) {
    console.error(`${name} ended with ${status}`)
    counts.failed = 1
  }
  while (skips.length < counts.skipped) skips.push(`skipped: ${name}: a case without a name`)
  return { ...counts, skips }
}

const runTap = async (files) => {
  console.log('\n# tap')
  const outputFile = path.join(root, 'build', 'tap', 'output.tap')
  mkdirSync(path.dirname(outputFile), { recursive: true })
  const tap = path.join(root, 'node_modules', '.bin', 'tap')
  const status = await runSuite(
    tap,
    ['--reporter=terse', '--no-color', `--output-file=${outputFile}`, ...files],
    {},
  )
  const output = existsSync(outputFile) ? readFileSync(outputFile, 'utf8') : ''
  const totals = [...output.matchAll(/^# \{ total: .*\}$/gm)].at(-1)?.[0] ?? ''
  const count = (key) => Number(new RegExp(`${key}: (\\d+)`).exec(totals)?.[1] ?? 0)
  const counts = { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') }
  if (counts.passed + counts.failed === 0 || (status !== 0 && counts.failed === 0)) {
    console.error(`tap ended with ${status} and ${totals === '' ? 'without totals' : totals}`)
    counts.failed = 1
  }
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
    for (const name of nativeSuites) results.push(await runNative(name))
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
