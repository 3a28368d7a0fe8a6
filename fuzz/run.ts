// npm run fuzz -- [--only NAME] [--runs N] [--seed S] [--out FILE]
//
// Reads what nobody vouches for: millions of changed files, chosen by what they run. Native targets are libFuzzer's, under
// AddressSanitizer and UndefinedBehaviorSanitizer (fuzz/native); readers in TypeScript are watched through V8
// (fuzz/readers), as Jazzer.js, which is libFuzzer for Node, wants a newer C library than Debian 12 has. What makes one
// fail lies in build-fuzz/failures, what was found useful in build-fuzz/corpus, where the next run goes on from.
import { mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeEnvironment } from '../bench/environment'
import { keepRow } from '../bench/kept-rows'
import { fuzzNative, nativeTargets } from './libfuzzer'
import { fuzzReader } from './reader-process'
import { readers } from './readers'

const build = join(__dirname, '..', 'build-fuzz')

interface Options {
  only: string | undefined
  runs: number | undefined
  seed: number
  out: string | undefined
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      runs: { type: 'string' },
      seed: { type: 'string', default: '1' },
      out: { type: 'string' },
    },
  })
  const runs = values.runs === undefined ? undefined : Number(values.runs)
  if (runs !== undefined && !(Number.isInteger(runs) && runs > 0))
    throw new Error('--runs must be a whole number of at least 1')
  const seed = Number(values.seed)
  if (!(Number.isInteger(seed) && seed > 0)) throw new Error('--seed must be a whole number of at least 1')
  return { only: values.only, runs, seed, out: values.out }
}

async function main(): Promise<void> {
  const { only, runs, seed, out } = readOptions()
  const all = [
    ...nativeTargets(build).map(({ name, longest, runs: usual }) => ({
      name,
      usual,
      fuzz: (runs: number) => fuzzNative({ build, name, longest, runs, seed }),
    })),
    ...readers.map(({ name }) => ({
      name,
      usual: 100_000,
      fuzz: (runs: number) => fuzzReader({ build, name, runs, seed }),
    })),
  ]
  const chosen = all.filter(({ name }) => only === undefined || name === only)
  if (chosen.length === 0)
    throw new Error(`there is no '${only}'; there are ${all.map(({ name }) => name).join(', ')}`)
  mkdirSync(join(build, 'failures'), { recursive: true })
  const environment = describeEnvironment(availableParallelism(), undefined)
  let failed = 0
  for (const { name, usual, fuzz } of chosen) {
    const count = runs ?? usual
    console.log(`# ${name}, ${count} files`)
    const begun = performance.now()
    const outcome = await fuzz(count)
    const target = { name, ...outcome, seconds: Math.round((performance.now() - begun) / 1000) }
    for (const failure of target.failures) console.log(`  FAILED ${failure}`)
    console.log(`  ${target.done} files in ${target.seconds} s, ${target.pieces} pieces of code`)
    if (target.failures.length > 0) failed++
    if (out !== undefined) keepRow(out, environment, target)
  }
  console.log(`${chosen.length - failed} passed, ${failed} failed, 0 skipped`)
  process.exitCode = failed > 0 ? 1 : 0
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
