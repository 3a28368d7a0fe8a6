// npm run soak -- [--short] [--only NAME] [--share S] [--times N] [--out FILE]
//
// Tries again and again what only repetition can test, and writes how often it held. --short is what CI does; --share 0.1
// tries everything a tenth as often. --out keeps what FILE has of other subjects.
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { describeEnvironment } from '../bench/environment'
import { keepRow } from '../bench/kept-rows'
import type { SoakedSubject } from '../bench/soak-tables'
import { allocations } from './allocations'
import { calls } from './calls'
import { diskFull } from './disk-full'
import { exits } from './exits'
import { kills } from './kills'
import { overload } from './overload'
import type { Subject } from './subject'
import { terminations } from './terminations'

const subjects: readonly Subject[] = [kills, diskFull, allocations, calls, overload, exits, terminations]

interface Options {
  isShort: boolean
  only: string | undefined
  share: number
  times: number | undefined
  out: string | undefined
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      only: { type: 'string' },
      share: { type: 'string', default: '1' },
      times: { type: 'string' },
      out: { type: 'string' },
    },
  })
  const times = values.times === undefined ? undefined : Number(values.times)
  if (times !== undefined && !(Number.isInteger(times) && times > 0))
    throw new Error('--times must be a whole number of at least 1')
  const share = Number(values.share)
  if (!(share > 0 && share <= 1)) throw new Error('--share must be in (0, 1]')
  return { isShort: values.short, only: values.only, share, times, out: values.out }
}

async function main(): Promise<void> {
  const { isShort, only, share, times, out } = readOptions()
  const chosen = subjects.filter(({ name }) => only === undefined || name === only)
  if (chosen.length === 0)
    throw new Error(`there is no '${only}'; there are ${subjects.map(({ name }) => name)}`)
  const environment = describeEnvironment(availableParallelism(), undefined)
  let failed = 0
  for (const subject of chosen) {
    const { short, full } = subject.times
    const count = times ?? (isShort ? short : Math.ceil(share * full))
    console.log(`# ${subject.name}, ${count} times\n${subject.promise}`)
    const outcome = await soak(subject, count)
    if (outcome.failures.length > 0) failed++
    if (out !== undefined) keepRow(out, environment, outcome)
  }
  console.log(`${chosen.length - failed} passed, ${failed} failed, 0 skipped`)
  process.exitCode = failed > 0 ? 1 : 0
}

async function soak(subject: Subject, count: number): Promise<Omit<SoakedSubject, 'commit' | 'date'>> {
  const begun = performance.now()
  let said = begun
  const outcome = await subject.run(count, (done) => {
    if (performance.now() - said < 10_000) return
    said = performance.now()
    console.log(`  ${done} of ${count}, ${Math.round((said - begun) / 1000)} s`)
  })
  const seconds = Math.round((performance.now() - begun) / 1000)
  for (const failure of outcome.failures.slice(0, 20)) console.log(`  FAILED ${failure}`)
  console.log(`  ${outcome.done} times in ${seconds} s ${JSON.stringify(outcome.figures ?? {})}`)
  return { name: subject.name, promise: subject.promise, ...outcome, seconds }
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
