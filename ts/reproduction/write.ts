import { join } from 'node:path'
import { disclaimer } from '../base/disclaimer'
import { writeFileAtomically } from '../base/write-files'
import { type ReproductionPictures, reproductionPage } from './page'
import type { Reproduction } from './result'
import { type Section, sectionsOf } from './sections'

export function filesIn(directory: string): Reproduction['files'] {
  const of = (name: string) => join(directory, name)
  return { json: of('results.json'), markdown: of('results.md'), page: of('results.html') }
}

/** As JSON for programs, as Markdown, and as a page. */
export async function writeResults(result: Reproduction, pictures: ReproductionPictures): Promise<void> {
  const { json, markdown, page } = result.files
  await writeFileAtomically(json, `${JSON.stringify(result, undefined, 2)}\n`)
  await writeFileAtomically(markdown, markdownOf(result))
  await writeFileAtomically(page, reproductionPage(result, pictures))
}

function markdownOf(result: Reproduction): string {
  const { caveats, budget, samples, folds, device, precision } = result
  const { width, inputSize, epochs, batchSize, seeds } = budget
  const how = `${samples} slices in ${folds} folds, seeds ${seeds.join(', ')}; networks at ${width} of their width, ${inputSize} × ${inputSize} pixels, ${epochs} epochs of ${batchSize} slices a step; ${device}, ${precision}.`
  return `${[
    '# The paper’s experiments, made again',
    ...sectionsOf(result).map(sectionText),
    ...(samples > 0 ? [how] : []),
    ...caveats,
    `${disclaimer}.`,
  ].join('\n\n')}\n`
}

function sectionText({ title, sentences, header, rows }: Section): string {
  const table = [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  return [`## ${title}`, ...sentences, table.join('\n')].join('\n\n')
}
