import { join } from 'node:path'
import { disclaimer } from '../base/disclaimer'
import { writeFileAtomically } from '../base/write-files'
import { cellsOf, distributionCellsOf, markdownTable, sharesText } from './markdown'
import { reproductionPage } from './page'
import type { Reproduction } from './result'

export function filesIn(directory: string): Reproduction['files'] {
  const of = (name: string) => join(directory, name)
  return { json: of('results.json'), markdown: of('results.md'), page: of('results.html') }
}

/** As JSON for programs, as Markdown, and as a page. */
export async function writeResults(result: Reproduction): Promise<void> {
  const { json, markdown, page } = result.files
  await writeFileAtomically(json, `${JSON.stringify(result, undefined, 2)}\n`)
  await writeFileAtomically(markdown, markdownOf(result))
  await writeFileAtomically(page, reproductionPage(result))
}

function markdownOf({
  tables,
  lesions,
  caveats,
  budget,
  samples,
  folds,
  device,
  precision,
}: Reproduction): string {
  const { width, inputSize, epochs, batchSize, seeds } = budget
  const parts = tables.map((table) => `## ${table.title}\n\n${markdownTable(cellsOf(table))}`)
  if (lesions)
    parts.push(
      `## ${lesions.title}\n\n${sharesText(lesions)}\n\n${markdownTable(distributionCellsOf(lesions))}`,
    )
  return `${[
    '# The paper’s experiments, made again',
    ...parts,
    `${samples} slices in ${folds} folds, seeds ${seeds.join(', ')}; networks at ${width} of their width, ${inputSize} × ${inputSize} pixels, ${epochs} epochs of ${batchSize} slices a step; ${device}, ${precision}.`,
    ...caveats,
    `${disclaimer}.`,
  ].join('\n\n')}\n`
}
