import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { markdownRows } from './markdown'
import { figure } from './results'

/** A line of scripts/gpu-check's bench.jsonl. */
interface Timing {
  part: 'bench' | 'count' | 'warm' | 'timed' | 'peers' | 'compiled' | 'autotuned'
  /** `inference:res2net50-v1b:32:224`: kind, network, batch, size. */
  job: string
  engine: string
  precision: string
  variant: 'paper' | 'authors'
  device?: string
  library: string
  seconds?: { median: number }
  compileSeconds?: number
  error?: string
  /** By count: kernels and copies of a run, what they move and compute, and at the ceilings of an H100. */
  operations?: number
  gigabytes?: number
  teraflops?: number
  secondsAtCeilings?: number
  paddedConvolutions?: number
  epiloguesApart?: number
}

const titles: Record<string, string> = {
  inference: 'inference on the GPU: ms, median',
  step: 'training step on the GPU: ms, median',
  slices: 'slices of 512², from decoded pixels to results: ms, median',
}

const peer =
  'PyTorch runs channels-last, eagerly and in torch.compile with CUDA graphs (`reduce-overhead`, cuDNN’s convolutions chosen by measurement); eager batches that are small wait for the host. Every process is prepared before the first is timed.'

/** `run.json`, beside a GPU's timings: what was measured, and of which calls the rows are. */
interface MeasuredRun {
  date: string
  commit: string
  rows: string
}

/** A section for the GPU that was measured last; `isFull`: for every one, with what a program takes to prepare. */
export function gpuTables(isFull: boolean): string[] {
  const results = join(__dirname, 'results', 'gpu')
  const measured = readdirSync(results)
    .map((name) => join(results, name))
    // Of some GPUs only correctness was looked at.
    .filter((folder) => existsSync(join(folder, 'bench.jsonl')))
    .map((folder) => ({ folder, run: readRun(folder) }))
    .sort((a, b) => b.run.date.localeCompare(a.run.date))
  return (isFull ? measured : measured.slice(0, 1)).map(({ folder, run }) =>
    sectionOf(isFull, readTimings(folder), run),
  )
}

function readRun(folder: string): MeasuredRun {
  return JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as MeasuredRun
}

function readTimings(folder: string): Timing[] {
  const lines = readFileSync(join(folder, 'bench.jsonl'), 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as Timing)
}

function sectionOf(isFull: boolean, timings: readonly Timing[], run: MeasuredRun): string {
  const measured = timings.filter(({ part }) => part !== 'warm' && part !== 'count')
  const tables = Object.entries(titles).map(([kind, title]) =>
    tableOf(
      title,
      measured.filter(({ job }) => job.startsWith(`${kind}:`)),
    ),
  )
  const own = timings.find(({ device }) => device)
  const libraries = [...new Set(timings.map(({ library }) => library))]
  const has = (part: Timing['part']) => isFull && timings.some((one) => one.part === part)
  const preparation = [
    ...(has('count') ? [countsOf(timings)] : []),
    ...(has('warm') ? [preparationOf(timings)] : []),
  ]
  const setting = `${own?.device}, commit ${run.commit}; ${libraries.join('; ')}.`
  return `${[...tables, ...preparation].join('\n\n')}\n\n${setting} ${peer} ${run.rows}`
}

function tableOf(title: string, timings: readonly Timing[]): string {
  const columns = [...new Set(timings.map(columnOf))]
  const rows = [...new Set(timings.map(workOf))].map((work) => [
    work,
    ...columns.map((column) =>
      cellOf(timings.find((one) => workOf(one) === work && columnOf(one) === column)),
    ),
  ])
  return markdownRows([title, ...columns], rows)
}

/** What a run has to do, and the time that it would take at the ceilings; beside it what it takes, where that is known. */
function countsOf(timings: readonly Timing[]): string {
  const measured = (counted: Timing) =>
    timings.find(
      (one) =>
        one.part === 'bench' &&
        one.precision === 'bf16' &&
        one.job === counted.job.replace('count:', 'inference:'),
    )
  const rows = timings
    .filter(({ part, operations }) => part === 'count' && operations !== undefined)
    .map((one) => [
      workOf(one),
      String(one.operations),
      figure(one.gigabytes!),
      figure(one.teraflops!),
      figure(1000 * one.secondsAtCeilings!),
      cellOf(measured(one)),
      String(one.paddedConvolutions! + one.epiloguesApart!),
    ])
  return markdownRows(
    [
      'by count, inference in bf16',
      'kernels and copies',
      'GB moved',
      'TFLOP',
      'ms at the ceilings',
      'ms, median',
      'passes beside convolutions',
    ],
    rows,
  )
}

/** How long programs take to prepare when the disk has none of their plans, and when it has. */
function preparationOf(timings: readonly Timing[]): string {
  const secondsOf = (part: Timing['part'], job: string) =>
    timings.find((one) => one.part === part && one.job === job && one.precision === 'bf16')?.compileSeconds
  const rows = timings
    .filter(({ part }) => part === 'warm')
    .map((warm) => [
      `${warm.job.split(':')[0]}, ${workOf(warm)}`,
      figure(secondsOf('bench', warm.job) ?? Number.NaN),
      figure(secondsOf('warm', warm.job) ?? Number.NaN),
    ])
  return markdownRows(
    ['preparing a program on the GPU: s', 'first process', 'the next, of another call'],
    rows,
  )
}

const columnOf = ({ engine, precision, part }: Timing): string =>
  `${engine} ${precision}${part === 'timed' ? ', plans by the clock' : ''}`
const cellOf = (timing: Timing | undefined): string =>
  timing?.seconds ? figure(1000 * timing.seconds.median) : '–'

/** Variants of a segmenter differ in their arithmetic; those of a classifier do not, and their rows are one. */
function workOf({ job, variant }: Timing): string {
  const [, network, batch, size] = job.split(':')
  const name = network!.startsWith('res2net') ? network : `${network} (${variant})`
  return `${name}, ${batch}×${size}²`
}
