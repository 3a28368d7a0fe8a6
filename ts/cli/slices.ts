import { basename } from 'node:path'
import { isDirectory } from '../base/files'
import { type DecodedImage, decodeAll, listCase } from '../images'

/** The files that the paths on a command line stand for: a directory is a case, its slices in natural order. */
export async function expandPaths(paths: readonly string[]): Promise<string[]> {
  const files: string[] = []
  for (const path of paths) files.push(...((await isDirectory(path)) ? await listCase(path) : [path]))
  return files
}

/** What slices are called: their files' names; with multi-page files the number is all that tells them apart. */
export function nameSlices(files: readonly string[], count: number): string[] {
  if (files.length === count) return files.map((file) => basename(file))
  return Array.from({ length: count }, (_, index) => `slice ${index + 1}`)
}

/** Decodes the slices once more, in order, so that pictures of them need no memory while networks run. */
export async function forEachSlice(
  files: readonly string[],
  signal: AbortSignal,
  use: (slice: DecodedImage, index: number) => Promise<void>,
): Promise<void> {
  let index = 0
  for await (const slice of decodeAll([...files], { signal })) await use(slice, index++)
}

/** A file name made of a slice's name: safe on every file system, in the order of the case, never twice the same. */
export function fileNameFor(name: string, index: number, suffix: string): string {
  const stem = name.replace(/\.[a-z0-9]+$/i, '').replace(/[^\w.-]+/g, '_')
  return `${String(index).padStart(4, '0')}_${stem.slice(0, 80)}${suffix}`
}
