import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { repositoryRoot } from './small'

type Code = [string, string, string]

/** A node of a report's tree. */
export interface ReadItem {
  relationship: string | null
  type: string
  concept: Code | null
  template: string | null
  /** Of NUM: value and unit, of UCUM. Of IMAGE: sopClass, instance, segment. */
  value: unknown
  content: ReadItem[]
}

/** What pydicom says of a report: see test/readers/report_values.py. */
export interface ReadReport {
  [keyword: string]: unknown
  PatientName: string
  SOPInstanceUID: string
  SeriesInstanceUID: string
  evidence: [string, string, string][]
  tree: ReadItem
}

export function readReport(path: string): ReadReport {
  const script = join(repositoryRoot, 'test/readers/report_values.py')
  const text = execFileSync('/usr/bin/python3', [script, path], { encoding: 'utf8', maxBuffer: 2 ** 28 })
  return JSON.parse(text)
}

/** Of the children of an item: values of those with a concept of this code value, in order. */
export function valuesOf({ content }: ReadItem, codeValue: string): unknown[] {
  return content.filter(({ concept }) => concept?.[0] === codeValue).map(({ value }) => value)
}

/** Numbers of an item's children by concept: code value to [value, unit]. */
export function numbersOf({ content }: ReadItem): Record<string, [number, string]> {
  return Object.fromEntries(
    content
      .filter(({ type }) => type === 'NUM')
      .map(({ concept, value }) => [concept![0], value as [number, string]]),
  )
}

export function allItems(item: ReadItem): ReadItem[] {
  return [item, ...item.content.flatMap(allItems)]
}

export function groupsOf({ tree }: ReadReport): ReadItem[] {
  return allItems(tree).filter(({ concept }) => concept?.[0] === '125007')
}

export function groupOf(report: ReadReport, label: string): ReadItem {
  const found = groupsOf(report).filter((group) => valuesOf(group, '112039')[0] === label)
  if (found.length === 1) return found[0]!
  throw new Error(`${found.length} groups are called ${label}`)
}

/** What DCMTK prints of a report, and what it says beside that. */
export function dsrdump(path: string): { text: string; complaints: string } {
  const { stdout, stderr } = spawnSync('dsrdump', ['+Pc', path], { encoding: 'utf8', maxBuffer: 2 ** 28 })
  // Of DCMTK itself, which checks no text in UTF-8.
  const complaints = stderr.replace(/^W: The VR checker does not support .*ISO_IR 192\n/gm, '')
  return { text: stdout, complaints }
}
