import { JcsError } from '../base/errors'
// Not from the room's index, which starts the threads that this runs in.
import { type FileSource, readBytes, readHeadOf } from '../threads/file-source'
import { type Outcome, outcomeOf } from '../threads/outcome'
import { type Elements, parseElements, pixelDataTag } from './elements'
import { type DicomHeader, readHeader } from './header'
import { decodeFrame, type HounsfieldFrame } from './pixels'

export type { DicomHeader, HounsfieldFrame }

/** A DICOM file that is open for reading. */
export interface DicomFile {
  /** No two of a process have the same. */
  id: number
  source: FileSource
  /** What messages call it, with its path. */
  name: string
  /** What reports call it, without. */
  label: string
}

export interface DicomTask extends Pick<DicomFile, 'id' | 'source' | 'name'> {
  maxPixels: number
}

export interface DicomFrameTask extends DicomTask {
  index: number
}

/** More than most headers take, and less than most files. */
const headBytes = 2 ** 17

export interface DicomHeadersTask {
  /** Of the first of them, for a task that fails as a whole. */
  name: string
  files: DicomTask[]
}

/** Of each file, in the same order. Headers are so small that one task for each would cost more than they do. */
export async function readDicomHeaders({ files }: DicomHeadersTask): Promise<Outcome<DicomHeader>[]> {
  const outcomes: Outcome<DicomHeader>[] = []
  for (const file of files) outcomes.push(await outcomeOf(() => readDicomHeader(file)))
  return outcomes
}

/** Reads a file's header, and little more of the file than that. */
async function readDicomHeader({ source, name, maxPixels }: DicomTask): Promise<DicomHeader> {
  if ('path' in source) {
    const head = await readHeadOf(source, headBytes)
    const elements = head.length === headBytes ? parseHead(head, name) : undefined
    if (elements) return readHeader(elements, name, maxPixels)
  }
  return readHeader(parseElements(await readBytes(source), name, true), name, maxPixels)
}

/** The elements before the pixels, or nothing if the file goes on beyond `head` before they come. */
function parseHead(head: Uint8Array, name: string): Elements | undefined {
  try {
    const elements = parseElements(head, name, true)
    return elements.dataSet.elements[pixelDataTag] && elements
  } catch (error) {
    if (error instanceof JcsError && error.code === 'UNSUPPORTED_FORMAT') throw error
    return undefined
  }
}

export async function readDicomFrame(task: DicomFrameTask): Promise<HounsfieldFrame> {
  const { elements, header } = await open(task)
  return decodeFrame(elements, header, task.index, task.name)
}

interface OpenFile {
  elements: Elements
  header: DicomHeader
}

/** The file of several frames that was used last: its frames come one after the other. */
let lastFile: { id: number; file: OpenFile } | undefined

async function open({ id, source, name, maxPixels }: DicomTask): Promise<OpenFile> {
  if (lastFile?.id === id) return lastFile.file
  const elements = parseElements(await readBytes(source), name)
  const file = { elements, header: readHeader(elements, name, maxPixels) }
  if (file.header.frames.length > 1) lastFile = { id, file }
  return file
}
