import { createHash } from 'node:crypto'
import { JcsError } from '../../base/errors'
import { encodeRle } from '../../dicom'
import type { Run } from './runs'
import type { Segment } from './segments'

/** What a frame shows: one segment in one slice, or, of a label map, all of them. */
export interface SegmentationFrame {
  slice: number
  /** Index of its segment; absent of label maps. */
  segment?: number
  runs: { run: Run; segment: number }[]
}

export interface FrameSettings {
  width: number
  height: number
  /** Slices. */
  count: number
  isLabelMap: boolean
  /** Also frames without a pixel. */
  emptyFrames: boolean
}

/** Those of the first segment first, each from the first slice on. */
export function framesOf(
  segments: readonly Segment[],
  { count, isLabelMap, emptyFrames }: FrameSettings,
): SegmentationFrame[] {
  const frames: SegmentationFrame[] = []
  const addSlices = (of: readonly Segment[], first: number, segment?: number) => {
    const bySlice = new Map<number, SegmentationFrame['runs']>()
    for (const [index, { runs }] of of.entries())
      for (const run of runs) {
        const list = bySlice.get(run.slice)
        if (list) list.push({ run, segment: first + index })
        else bySlice.set(run.slice, [{ run, segment: first + index }])
      }
    const slices = emptyFrames ? Array.from({ length: count }, (_, slice) => slice) : [...bySlice.keys()]
    for (const slice of slices.sort((a, b) => a - b))
      frames.push({ slice, ...(segment !== undefined && { segment }), runs: bySlice.get(slice) ?? [] })
  }
  if (isLabelMap) addSlices(segments, 0)
  else for (const [index, segment] of segments.entries()) addSlices([segment], index, index)
  return frames
}

/** Bytes of a pixel of a label map: numbers of segments are its values. */
export function labelBytes(segments: number): 1 | 2 {
  return segments < 256 ? 1 : 2
}

/** An element's value has a length of 32 bits, the greatest of which stands for none (PS3.5, 7.1.1). */
const maxBytes = 2 ** 32 - 2

/**
 * One bit a pixel, the first in the lowest; frames follow each other bit by bit, so one may begin within a byte (PS3.5,
 * 8.1.1 and annex D). Of even length.
 *
 * @throws JcsError INPUT_TOO_LARGE
 */
export function packBits(
  frames: readonly SegmentationFrame[],
  { width, height }: FrameSettings,
): Uint8Array<ArrayBuffer> {
  const packed = allocate(Math.ceil((frames.length * width * height) / 8))
  for (const [index, { runs }] of frames.entries())
    for (const { run } of runs) {
      const row = (index * height + run.row) * width
      for (let bit = row + run.begin; bit < row + run.end; bit++) {
        const byte = Math.floor(bit / 8)
        packed[byte] = packed[byte]! | (1 << (bit % 8))
      }
    }
  return packed
}

/** Numbers of segments, from 1, as pixels; 0 is background. Little endian. */
export function drawLabels(
  { runs }: SegmentationFrame,
  { width, height }: FrameSettings,
  bytesPerPixel: 1 | 2,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(width * height * bytesPerPixel)
  const labels = bytesPerPixel === 1 ? bytes : new Uint16Array(bytes.buffer)
  for (const { run, segment } of runs)
    labels.fill(segment + 1, run.row * width + run.begin, run.row * width + run.end)
  return bytes
}

/** Frames one after the other, of even length. @throws JcsError INPUT_TOO_LARGE */
export function joinFrames(frames: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = allocate(frames.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const frame of frames) {
    joined.set(frame, at)
    at += frame.length
  }
  return joined
}

/** Each frame on its own. */
export function compressFrames(
  frames: readonly Uint8Array[],
  width: number,
  bytesPerPixel: 1 | 2,
): ArrayBuffer[] {
  return frames.map((frame) => Uint8Array.from(encodeRle(frame, width, bytesPerPixel)).buffer)
}

function allocate(bytes: number): Uint8Array<ArrayBuffer> {
  const even = bytes + (bytes % 2)
  if (even <= maxBytes) return new Uint8Array(even)
  throw new JcsError(
    'INPUT_TOO_LARGE',
    `the segmentation has ${bytes} bytes of pixels, and a DICOM file holds ${maxBytes}; a label map or fewer frames take less`,
  )
}

/** Tells frames of other pixels apart. */
export function digestOf(frames: readonly SegmentationFrame[]): string {
  const sum = createHash('sha256')
  for (const { slice, runs } of frames)
    sum.update(
      JSON.stringify([slice, runs.map(({ run, segment }) => [segment, run.row, run.begin, run.end])]),
    )
  return sum.digest('hex')
}
