// Runs in the threads of `pool.ts`: whatever reads a file that came from outside does it here.
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { toJcsError } from '../base/errors'
import { type Elements, parseElements } from './elements'
import { type DicomSource, readBytes, readDicomHeader } from './file'
import { type DicomHeader, readHeader } from './header'
import { decodeFrame } from './pixels'

export interface FileTask {
  /** The same for the same file, as long as it is open. */
  id: number
  source: DicomSource
  /** What messages call it. */
  name: string
  maxPixels: number
}

export interface FrameTask extends FileTask {
  index: number
}

/** An Error would lose its code on the way between threads. */
export type Outcome<T> = { value: T } | { code: string; message: string }

export function header(task: FileTask): Promise<Outcome<DicomHeader>> {
  return outcomeOf(() => readDicomHeader(task.source, task.name, task.maxPixels))
}

/** Gives an `Outcome<HounsfieldFrame>` whose pixels are handed over, not copied. */
export async function frame(task: FrameTask): Promise<unknown> {
  const outcome = await outcomeOf(async () => {
    const { elements, header } = await open(task)
    return decodeFrame(elements, header, task.index, task.name)
  })
  if (!('value' in outcome)) return outcome
  return move({ [transferableSymbol]: outcome.value.data.buffer, [valueSymbol]: outcome })
}

interface OpenFile {
  elements: Elements
  header: DicomHeader
}

/** The file of several frames that was used last: its frames come one after the other. */
let lastFile: { id: number; file: OpenFile } | undefined

async function open({ id, source, name, maxPixels }: FileTask): Promise<OpenFile> {
  if (lastFile?.id === id) return lastFile.file
  const elements = parseElements(await readBytes(source), name)
  const file = { elements, header: readHeader(elements, name, maxPixels) }
  if (file.header.frames.length > 1) lastFile = { id, file }
  return file
}

async function outcomeOf<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() }
  } catch (error) {
    const { code, message } = toJcsError(error)
    return { code, message }
  }
}
