import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Reproduction } from '../ts'
import { sectionsOf } from '../ts/reproduction/sections'
import { markdownRows } from './markdown'

interface PaperRecord extends Reproduction {
  command: string
  data: string
  date: string
  machine: string
  minutes: number
}

const folder = join(__dirname, 'results', 'paper')

/** The paper's experiments, of every budget that was run. */
export function paperTables(): string {
  return readdirSync(folder)
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as PaperRecord)
    .map(textOf)
    .join('\n\n')
}

function textOf(record: PaperRecord): string {
  const { command, data, date, machine, minutes, samples, folds, budget, precision } = record
  const { width, inputSize, epochs, batchSize, seeds } = budget
  const how = `\`${command}\`, ${date}, ${machine}, ${minutes} minutes. Tables V to VII and figures 10 and 11: ${data}, ${samples} slices in ${folds} folds, ${seeds.length === 1 ? 'one seed' : `${seeds.length} seeds`}, ${width} of the published width, ${inputSize} × ${inputSize} pixels, ${epochs} epochs, ${batchSize} slices a step, ${precision}.`
  return [
    how,
    ...sectionsOf(record).map(({ title, sentences, header, rows }) =>
      [`### ${title}`, ...sentences, markdownRows(header, rows)].join('\n\n'),
    ),
  ].join('\n\n')
}
