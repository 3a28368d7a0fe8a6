// npm run bench -- [--quick] [--only TEXT] [--threads N] [--repetitions N] [--python PATH] [--out FILE]
//
// Measures inference against onnxruntime-node and training steps, prints a table, and writes a result file that
// `npx tsx bench/compare.ts OLD NEW` sets beside another one.
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeEnvironment } from './environment'
import { inferenceCases, inferenceName, measureInference } from './inference'
import { type Measurement, plainTable, type ResultFile, writeResults } from './results'
import { measureTraining, trainingCases, trainingName } from './training'

interface Options {
  quick: boolean
  only: string
  threads: number
  repetitions: number
  python: string | undefined
  out: string | undefined
}

interface Job {
  name: string
  quick: boolean
  measure(): Promise<Measurement>
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      threads: { type: 'string' },
      repetitions: { type: 'string' },
      python: { type: 'string' },
      out: { type: 'string' },
    },
  })
  const { quick, only, python } = values
  return {
    quick,
    only,
    threads: wholeNumber('--threads', values.threads, availableParallelism()),
    repetitions: wholeNumber('--repetitions', values.repetitions, quick ? 3 : 7),
    python,
    out: values.out,
  }
}

function wholeNumber(name: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} must be a whole number of at least 1`)
  return value
}

/** What is asked for, every measurement of it once its turn comes. */
function jobs({ quick, only, threads, repetitions, python }: Options): Job[] {
  const times = { warmups: 1, repetitions }
  const all: Job[] = [
    ...inferenceCases.map((benchmark) => ({
      name: inferenceName(benchmark),
      quick: benchmark.quick ?? false,
      measure: () => measureInference(benchmark, threads, times),
    })),
    ...trainingCases.map((benchmark) => ({
      name: trainingName(benchmark),
      quick: benchmark.quick ?? false,
      measure: () => measureTraining(benchmark, threads, { ...times, python }),
    })),
  ]
  return all.filter((job) => job.name.includes(only) && (job.quick || !quick))
}

/** Parts and quick looks do not replace the file of a whole run unless a file is named. */
function outputPath({ quick, only, out }: Options, { environment }: ResultFile): string | undefined {
  if (out !== undefined) return out
  if (quick || only !== '') return undefined
  const isa = environment.isa.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  return join(__dirname, 'results', `speed-${isa}-${environment.threads}-threads.json`)
}

async function main(): Promise<void> {
  const options = readOptions()
  const selected = jobs(options)
  if (selected.length === 0) throw new Error(`no benchmark's name contains '${options.only}'`)
  const results: ResultFile = {
    format: 1,
    environment: describeEnvironment(options.threads),
    repetitions: options.repetitions,
    measurements: [],
  }
  const { cpu, isa, threads, loadAverage } = results.environment
  console.log(`${cpu}, ${isa}, ${threads} threads`)
  if (loadAverage > 0.5)
    console.log(`The load average is ${loadAverage}: others are at work, times will be too long.`)
  for (const [index, { name, measure }] of selected.entries()) {
    console.log(`${index + 1}/${selected.length} ${name}`)
    try {
      results.measurements.push(await measure())
    } catch (error) {
      console.error(`  failed: ${error instanceof Error ? error.message : error}`)
      process.exitCode = 1
    }
  }
  console.log(`\n${plainTable(results)}`)
  const path = outputPath(options, results)
  if (path === undefined) return
  writeResults(path, results)
  console.log(`\nwritten to ${path}`)
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
