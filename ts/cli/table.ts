/** Rows under a header, columns aligned: numbers to the right, text to the left. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = rows.map((row) => row.map(String))
  const widths = header.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)),
  )
  const isNumeric = header.map(
    (_, column) =>
      cells.length > 0 && cells.every((row) => /^[-–]?[\d.]*(?:e[+-]?\d+)?%?$/.test(row[column] ?? '')),
  )
  const format = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        isNumeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join('  ')
      .trimEnd()
  return [format(header), widths.map((width) => '─'.repeat(width)).join('  '), ...cells.map(format)].join(
    '\n',
  )
}

/** Three digits after the point; a dash for what is not defined. */
export function decimal(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? '–' : value.toFixed(3)
}
