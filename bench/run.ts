// npm run bench -- [--quick] [--only TEXT,TEXT] [--threads N] [--repetitions N] [--python PATH] [--out FILE]
//
// Measures everything that a file of this folder has jobs for, beside onnxruntime-node and PyTorch, prints a table, and
// writes a result file that `npx tsx bench/compare.ts OLD NEW` sets beside another one.
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { caseJobs } from './case'
import { dicomJobs } from './dicom'
import { distributedJobs } from './distributed'
import { describeEnvironment } from './environment'
import { inferenceJobs } from './inference'
import { int8Jobs } from './int8'
import { isaJobs } from './isa'
import type { Job, Settings } from './job'
import { memoryJobs } from './memory'
import { overheadJobs } from './overhead'
import { pytorchVersion } from './peers/pytorch'
import { type ResultFile, writeResults } from './results'
import { scalingJobs } from './scaling'
import { serviceJobs } from './service'
import { servingJobs } from './serving'
import { restartJobs, startJobs } from './start'
import { plainTables } from './tables'
import { trainingJobs } from './training'

interface Options extends Settings {
  quick: boolean
  only: string
  out: string | undefined
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

/** What is asked for, in the order of tables. */
function jobs({ quick, only, ...settings }: Options): Job[] {
  const all = [
    inferenceJobs,
    int8Jobs,
    trainingJobs,
    distributedJobs,
    memoryJobs,
    startJobs,
    restartJobs,
    overheadJobs,
    scalingJobs,
    isaJobs,
    caseJobs,
    dicomJobs,
    serviceJobs,
    servingJobs,
  ].flatMap((jobsOf) => jobsOf(settings))
  const wanted = only.split(',')
  return all.filter(
    ({ name, quick: isQuick }) => wanted.some((text) => name.includes(text)) && (isQuick || !quick),
  )
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
  const pytorch = pytorchVersion(options.python)
  if (pytorch === undefined) options.python = undefined
  const selected = jobs(options)
  if (selected.length === 0) throw new Error(`no benchmark's name contains '${options.only}'`)
  const results: ResultFile = {
    format: 2,
    environment: describeEnvironment(options.threads, pytorch),
    repetitions: options.repetitions,
    measurements: [],
  }
  const { cpu, isa, threads, loadAverage } = results.environment
  console.log(`${cpu}, ${isa}, ${threads} threads`)
  if (loadAverage > 0.5)
    console.log(`The load average is ${loadAverage}: others are at work, times will be too long.`)
  const path = outputPath(options, results)
  for (const [index, { name, measure }] of selected.entries()) {
    console.log(`${index + 1}/${selected.length} ${name}`)
    try {
      results.measurements.push(...[await measure()].flat())
      if (path !== undefined) writeResults(path, results) // what is interrupted keeps what it measured
    } catch (error) {
      console.error(`  failed: ${error instanceof Error ? error.message : error}`)
      process.exitCode = 1
    }
  }
  console.log(`\n${plainTables(results)}`)
  if (path !== undefined) console.log(`\nwritten to ${path}`)
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
