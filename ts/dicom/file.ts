import { JcsError } from '../base/errors'
// Not from the room's index, which starts the threads that this runs in.
import { type FileSource, readBytes, readHeadOf } from '../threads/file-source'
import { type Outcome, outcomeOf } from '../threads/outcome'
import { type Elements, parseElements, pixelDataTag } from './elements'
import { type DicomHeader, readHeader } from './header'
import { decodeFrame, type HounsfieldFrame } from './pixels'
import { readStudy, type SourceStudy } from './study'

export type { DicomHeader, HounsfieldFrame, SourceStudy }

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

export type DicomStudyTask = Pick<DicomFile, 'source' | 'name'>

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

async function readDicomHeader({ source, name, maxPixels }: DicomTask): Promise<DicomHeader> {
  return readHeader(await readHeadElements({ source, name }), name, maxPixels)
}

/** Of a file's header: whom it is about, which is read only for a result that is filed with it. */
export async function readDicomStudy(task: DicomStudyTask): Promise<SourceStudy> {
  return readStudy(await readHeadElements(task), task.name)
}

/** The elements before the pixels; reads little more of the file than that. */
async function readHeadElements({ source, name }: DicomStudyTask): Promise<Elements> {
  if ('path' in source) {
    const head = await readHeadOf(source, headBytes)
    const elements = head.length === headBytes ? parseHead(head, name) : undefined
    if (elements) return elements
  }
  return parseElements(await readBytes(source), name, pixelDataTag)
}

/** The elements before the pixels, or nothing if the file goes on beyond `head` before they come. */
function parseHead(head: Uint8Array, name: string): Elements | undefined {
  try {
    const elements = parseElements(head, name, pixelDataTag)
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
