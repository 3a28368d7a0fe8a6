import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DecodedImage } from '../../ts/index'
import { repositoryRoot } from './small'

/** What GDCM and pydicom say of a file: see test/readers/dicom_values.py. */
interface Read {
  error?: string
  rows: number
  columns: number
  bits: 8 | 16
  signed: boolean
  slope: number
  intercept: number
  position: [number, number, number]
  orientation: number[]
  spacing: [number, number]
}

export function readElsewhere(
  paths: readonly string[],
  out: string,
): (Read & { stored(): Int16Array | Uint16Array | Uint8Array })[] {
  const script = join(repositoryRoot, 'test/readers/dicom_values.py')
  const text = execFileSync('/usr/bin/python3', [script, out, ...paths], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return (JSON.parse(text) as Read[]).map((read, index) => ({
    ...read,
    stored() {
      const { buffer } = new Uint8Array(readFileSync(join(out, `${index}.raw`)))
      if (read.bits === 8) return new Uint8Array(buffer)
      return read.signed ? new Int16Array(buffer) : new Uint16Array(buffer)
    },
  }))
}

/** The largest difference in stored values, of all pixels that are no padding. */
export function largestDifference(
  image: DecodedImage,
  { slope, intercept, ...read }: ReturnType<typeof readElsewhere>[0],
  frame = 0,
) {
  const pixels = image.data.length
  const stored = read.stored().subarray(frame * pixels, (frame + 1) * pixels)
  let largest = 0
  for (const [index, hu] of image.data.entries()) {
    const expected = stored[index]! * slope + intercept
    // Half a unit is lost where HU are not whole.
    const rounding = Number.isInteger(slope) && Number.isInteger(intercept) ? 0 : 0.5
    largest = Math.max(largest, (Math.abs(hu - expected) - rounding) / slope)
  }
  return Math.max(largest, 0)
}
