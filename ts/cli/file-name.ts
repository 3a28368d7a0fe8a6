/** A file name made of a slice's name: safe on every file system, in the order of the case, never twice the same. */
export function fileNameFor(name: string, index: number, suffix: string): string {
  const stem = name.replace(/\.[a-z0-9]+$/i, '').replace(/[^\w.-]+/g, '_')
  return `${String(index).padStart(4, '0')}_${stem.slice(0, 80)}${suffix}`
}
