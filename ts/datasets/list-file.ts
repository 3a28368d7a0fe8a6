import { basename, dirname, resolve } from 'node:path'
import { badSample } from './bad-samples'
import type { ParsedDataset } from './types'

/** The authors' format: one `image mask` a line, paths relative to the list. */
export function parseListFile(text: string, path: string): ParsedDataset {
  const directory = dirname(path)
  const parsed: ParsedDataset = { samples: [], warnings: [], bad: [] }
  text.split(/\r\n|\n|\r/).forEach((line, index) => {
    if (line.trim() === '') return
    const origin = `${basename(path)}:${index + 1}`
    const fields = splitLine(line)
    if (!fields) {
      parsed.bad.push(badSample(origin, 'a quoted name has no closing quote'))
    } else if (fields.length !== 2 || fields.includes('')) {
      const found = fields.length === 1 ? 'one name' : `${fields.length} names`
      const hint = 'quote names that contain spaces, or separate the two with a tab'
      parsed.bad.push(badSample(origin, `found ${found} where 'image mask' was expected; ${hint}`))
    } else {
      const [image, mask] = fields as [string, string]
      parsed.samples.push({ image: resolve(directory, image), mask: resolve(directory, mask), origin })
    }
  })
  return parsed
}

/** Undefined when a quote is not closed. */
function splitLine(line: string): string[] | undefined {
  if (line.includes('\t')) return line.trim().split(/\t+/).map(unquote)
  const fields: string[] = []
  for (const [field, quoted] of line.matchAll(/"([^"]*)"|\S+/g)) {
    if (quoted === undefined && field.startsWith('"')) return undefined
    fields.push(quoted ?? field)
  }
  return fields
}

function unquote(field: string): string {
  const trimmed = field.trim()
  return /^".*"$/.test(trimmed) ? trimmed.slice(1, -1) : trimmed
}
