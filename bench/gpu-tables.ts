import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { markdownRows } from './markdown'
import { figure } from './results'

/** A line of scripts/gpu-check's bench.jsonl. */
interface Timing {
  /** `inference:res2net50-v1b:32:224`: kind, network, batch, size. */
  job: string
  engine: string
  precision: string
  variant: 'paper' | 'authors'
  device?: string
  library: string
  seconds?: { median: number }
  error?: string
}

const titles: Record<string, string> = {
  inference: 'inference on the GPU: ms, median',
  step: 'training step on the GPU: ms, median',
  slices: 'slices of 512², from decoded pixels to results: ms, median',
}

const peer =
  'PyTorch runs eagerly, channels-last, in a call of its own on a machine of the same kind; in small batches it waits for its host, on which other processes were starting.'

/** A section for every GPU that was measured. */
export function gpuTables(): string[] {
  const folder = join(__dirname, 'results', 'gpu')
  return readdirSync(folder).map((name) =>
    sectionOf(
      readFileSync(join(folder, name, 'bench.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Timing),
    ),
  )
}

function sectionOf(timings: readonly Timing[]): string {
  const tables = Object.entries(titles).map(([kind, title]) =>
    tableOf(
      title,
      timings.filter(({ job }) => job.startsWith(`${kind}:`)),
    ),
  )
  const own = timings.find(({ device }) => device)
  const libraries = [...new Set(timings.map(({ library }) => library))]
  return `${tables.join('\n\n')}\n\n${own?.device}; ${libraries.join('; ')}. ${peer}`
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

const columnOf = ({ engine, precision }: Timing): string => `${engine} ${precision}`
const cellOf = (timing: Timing | undefined): string =>
  timing?.seconds ? figure(1000 * timing.seconds.median) : '–'

/** Variants of a segmenter differ in their arithmetic; those of a classifier do not, and their rows are one. */
function workOf({ job, variant }: Timing): string {
  const [, network, batch, size] = job.split(':')
  const name = network!.startsWith('res2net') ? network : `${network} (${variant})`
  return `${name}, ${batch}×${size}²`
}
