import { JcsError } from '../base/errors'
import { incomplete, type PacsAnswer } from './request'

/** A data set in the DICOM JSON model (PS3.18, F.2), of which nothing is trusted. */
export type JsonDataset = Readonly<Record<string, unknown>>

export const dicomJson = 'application/dicom+json'

/** Longer lists come in pages. */
const maxJsonBytes = 2 ** 26

/**
 * The data sets of an answer; none of one without content.
 *
 * @throws JcsError PACS_ANSWER_INVALID
 */
export async function readDatasets(answer: PacsAnswer, where: string): Promise<JsonDataset[]> {
  const text = await readText(answer)
  if (text.trim() === '') return []
  const value = parse(text, answer, where)
  const list: unknown[] = Array.isArray(value) ? value : [value]
  if (list.every(isDataset)) return list
  throw new JcsError('PACS_ANSWER_INVALID', `${where} answers JSON that is no list of DICOM data sets`)
}

async function readText(answer: PacsAnswer): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of answer.body(maxJsonBytes)) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function parse(text: string, { contentType }: PacsAnswer, where: string): unknown {
  if (!/^application\/(dicom\+)?json\b/i.test(contentType)) {
    const type = /^[\w.+-]+\/[\w.+-]+/.exec(contentType)?.[0] ?? 'no type'
    throw new JcsError(
      'PACS_ANSWER_INVALID',
      `${where} answers with ${type} where ${dicomJson} was asked for`,
    )
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw incomplete(`${where} answers JSON that is cut short or damaged`, error)
  }
}

function isDataset(value: unknown): value is JsonDataset {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function valuesOf(dataset: JsonDataset, tag: string): unknown[] {
  const element = dataset[tag]
  if (!isDataset(element) || !Array.isArray(element.Value)) return []
  return element.Value
}

/** The first value as text, trimmed; undefined where there is none. */
export function textOf(dataset: JsonDataset, tag: string): string | undefined {
  const [value] = valuesOf(dataset, tag)
  return typeof value === 'string' ? value.trim() : typeof value === 'number' ? String(value) : undefined
}

export function numbersOf(dataset: JsonDataset, tag: string): number[] {
  return valuesOf(dataset, tag).map(Number)
}

export function textsOf(dataset: JsonDataset, tag: string): string[] {
  return valuesOf(dataset, tag).filter((value) => typeof value === 'string')
}

export function itemsOf(dataset: JsonDataset, tag: string): JsonDataset[] {
  return valuesOf(dataset, tag).filter(isDataset)
}
