import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from './small'

type Three = [number, number, number]

export interface ReadFrame {
  position: Three
  orientation: number[]
  spacing: [number, number]
  thickness: number
  step: number | null
  segment: number | null
  indices: number[]
  sourceClass: string
  source: string
  sourceFrame: number | null
  pixels: number
  /** Of its pixels' centres. */
  sumMm: Three
  /** Of a label map its numbers. */
  mask: Uint8Array | Uint16Array
}

/** What pydicom and GDCM say of a segmentation: see test/readers/segmentation_values.py. */
export interface ReadSegmentation {
  [keyword: string]: unknown
  PatientName: string
  SOPInstanceUID: string
  SeriesInstanceUID: string
  ImageComments: string
  /** Of a binary one: columns, rows and frames, where there are several, and whether GDCM's pixels are pydicom's. */
  gdcm: { dimensions: number[]; isSame: boolean } | null
  referenced: [string, string[]][]
  segments: {
    number: number
    label: string
    type: Three
    category: Three
    algorithmType: string
    algorithm: string | null
    version: string
    lab: Three
    trackingUid: string
  }[]
  frames: ReadFrame[]
}

export function readSegmentation(path: string): ReadSegmentation {
  const script = join(repositoryRoot, 'test/readers/segmentation_values.py')
  const raw = `${path}.raw`
  const text = execFileSync('/usr/bin/python3', [script, path, raw], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const read = JSON.parse(text)
  const { buffer } = new Uint8Array(readFileSync(raw))
  const all = read.BitsAllocated === '16' ? new Uint16Array(buffer) : new Uint8Array(buffer)
  const pixels = Number(read.Rows) * Number(read.Columns)
  for (const [index, frame] of read.frames.entries())
    frame.mask = all.subarray(index * pixels, (index + 1) * pixels)
  return read
}

function isInstalled(program: string): boolean {
  return spawnSync('which', [program]).status === 0
}

/** The reason for a test to be skipped, or false. */
export const dciodvfyMissing =
  isInstalled('dciodvfy') && isInstalled('dcmdump')
    ? false
    : "dciodvfy or dcmdump not found; npm run setup -- --test installs Debian's dicom3tools and dcmtk"

/** What dciodvfy holds against a file, and does not call a warning. */
export function errorsOfDciodvfy(path: string): string[] {
  const { stderr, stdout } = spawnSync('dciodvfy', ['-new', path], { encoding: 'utf8' })
  return `${stderr}${stdout}`.split('\n').filter((line) => line !== '' && !line.startsWith('Warning'))
}

/** What DCMTK prints of a file. */
export function dcmdump(path: string): string {
  return execFileSync('dcmdump', ['+L', path], { encoding: 'utf8', maxBuffer: 2 ** 28 })
}
