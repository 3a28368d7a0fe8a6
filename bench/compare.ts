// npx tsx bench/compare.ts OLD.json NEW.json     two result files side by side; ends with 1 when something got worse
import { parseArgs } from 'node:util'
import { type EngineResult, figure, nameOf, type ResultFile, readResults } from './results'

/** Differences of less than this share are never called one. */
const leastChange = 0.05

type Verdict = 'same' | 'better' | 'WORSE'

/** A change counts when the middle halves of both sets of samples do not touch, and the medians differ enough to matter. */
export function verdictOf(before: EngineResult, after: EngineResult): Verdict {
  const threshold = leastChange * Math.abs(before.median)
  const change = after.median - before.median
  if (after.quartiles[0] > before.quartiles[1] && change > threshold) return 'WORSE'
  if (after.quartiles[1] < before.quartiles[0] && change < -threshold) return 'better'
  return 'same'
}

/** Prints both side by side and gives how many of our own figures got worse. */
function compare(before: ResultFile, after: ResultFile): number {
  for (const key of ['cpu', 'isa', 'threads'] as const) {
    const [old, current] = [before.environment[key], after.environment[key]]
    if (old !== current)
      console.log(`${key} differs: ${old}, ${current}. Times do not compare; ratios to peers may.`)
  }
  console.log(`${before.environment.commit} -> ${after.environment.commit}`)
  let worse = 0
  for (const { name, unit, results } of after.measurements) {
    const old = before.measurements.find((measurement) => measurement.name === name)
    for (const result of results) {
      const engine = nameOf(result)
      const earlier = old?.results.find((candidate) => nameOf(candidate) === engine)
      const label = `${name}  ${engine}`.padEnd(66)
      if (!earlier) {
        console.log(`${label} ${figure(result.median)} ${unit}, new`)
        continue
      }
      const verdict = verdictOf(earlier, result)
      if (verdict === 'WORSE' && result.engine === 'jcs-ct') worse++
      const change = ((result.median / earlier.median - 1) * 100).toFixed(1).padStart(6)
      const values = `${figure(earlier.median)} -> ${figure(result.median)} ${unit}`
      console.log(`${label} ${values.padEnd(32)} ${change} %  ${verdict}`)
    }
  }
  return worse
}

function main(): void {
  const [before, after, ...others] = parseArgs({ allowPositionals: true }).positionals
  if (before === undefined || after === undefined || others.length > 0) {
    console.error('usage: compare.ts OLD.json NEW.json')
    process.exitCode = 2
  } else {
    process.exitCode = compare(readResults(before), readResults(after)) > 0 ? 1 : 0
  }
}

if (require.main === module) main()
