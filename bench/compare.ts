// npx tsx bench/compare.ts OLD.json NEW.json     two result files side by side; ends with 1 when something got slower
// npx tsx bench/compare.ts --markdown FILE.json  the table of the README
import { parseArgs } from 'node:util'
import { type EngineResult, nameOf, type ResultFile, readResults, tableForReadme } from './results'

/** Differences of less than this share are never called one. */
const leastChange = 0.05

type Verdict = 'same' | 'faster' | 'SLOWER'

/** A change counts when the middle halves of both sets of runs do not touch, and the medians differ enough to matter. */
export function verdictOf(before: EngineResult, after: EngineResult): Verdict {
  const ratio = after.medianMs / before.medianMs
  if (after.quartilesMs[0] > before.quartilesMs[1] && ratio > 1 + leastChange) return 'SLOWER'
  if (after.quartilesMs[1] < before.quartilesMs[0] && ratio < 1 - leastChange) return 'faster'
  return 'same'
}

function compare(before: ResultFile, after: ResultFile): number {
  for (const key of ['cpu', 'isa', 'threads'] as const) {
    const [old, current] = [before.environment[key], after.environment[key]]
    if (old !== current)
      console.log(`${key} differs: ${old}, ${current}. Times do not compare; ratios to peers may.`)
  }
  console.log(`${before.environment.commit} -> ${after.environment.commit}`)
  let slower = 0
  for (const { name, results } of after.measurements) {
    const old = before.measurements.find((measurement) => measurement.name === name)
    for (const result of results) {
      const engine = nameOf(result)
      const earlier = old?.results.find((candidate) => nameOf(candidate) === engine)
      const label = `${name}  ${engine}`.padEnd(62)
      if (!earlier) {
        console.log(`${label} ${result.medianMs.toFixed(1)} ms, new`)
        continue
      }
      const verdict = verdictOf(earlier, result)
      if (verdict === 'SLOWER' && result.engine === 'jcs-ct') slower++
      const change = ((result.medianMs / earlier.medianMs - 1) * 100).toFixed(1).padStart(6)
      const times = `${earlier.medianMs.toFixed(1)} -> ${result.medianMs.toFixed(1)} ms`
      console.log(`${label} ${times.padEnd(24)} ${change} %  ${verdict}`)
    }
  }
  return slower
}

function main(): void {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { markdown: { type: 'boolean', default: false } },
  })
  const [first, second] = positionals
  if (values.markdown && first !== undefined && second === undefined) {
    console.log(tableForReadme(readResults(first)))
  } else if (!values.markdown && first !== undefined && second !== undefined) {
    process.exitCode = compare(readResults(first), readResults(second)) > 0 ? 1 : 0
  } else {
    console.error('usage: compare.ts OLD.json NEW.json, or compare.ts --markdown FILE.json')
    process.exitCode = 2
  }
}

if (require.main === module) main()
