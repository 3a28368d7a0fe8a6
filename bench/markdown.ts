/** A table of a document: the first column to the left, figures to the right. */
export function markdownRows(header: readonly string[], rows: readonly string[][]): string {
  const rule = header.map((_, column) => (column === 0 ? '---' : '--:'))
  return [header, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
