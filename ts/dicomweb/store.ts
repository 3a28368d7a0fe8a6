import { waitUntilAborted } from '../base/abort'
import { JcsError } from '../base/errors'
import { readReference } from '../dicom'
import type { StoredInstance } from '../run/results'
import { dicomJson, itemsOf, type JsonDataset, numbersOf, readDatasets, textOf } from './dicom-json'
import { multipartOf } from './multipart'
import type { PacsSettings } from './pacs'
import { hasInstance } from './query'
import { request } from './request'

const tag = {
  failureReason: '00081197',
  failedSequence: '00081198',
  referencedInstanceUid: '00081155',
}

/** Reasons by their first digits (PS3.18, table I.2-2; PS3.7, annex C). */
const failureReasons: readonly [RegExp, string][] = [
  [/^A7/, 'it is out of resources'],
  [/^A9/, 'the data set does not match its SOP class'],
  [/^C/, 'it cannot understand the data set'],
  [/^0110/, 'it failed to process it'],
  [/^0111/, 'it has an instance of this UID'],
  [/^0122/, 'it does not take this SOP class'],
  [/^0124/, 'this user may not store'],
]

/** Lists may lag behind what is stored: asked for this often, each time after twice as long. */
const confirmations = 5

/**
 * Stores an instance, and asks whether the archive has it: what servers answer to storing is not always so. One that was
 * there before counts as stored.
 *
 * @throws JcsError CORRUPT_FILE for what is no DICOM instance, PACS_UNREACHABLE, PACS_UNAUTHORIZED, PACS_ANSWER_INVALID,
 * CANCELLED
 */
export async function storeInstance(
  pacs: PacsSettings,
  dicom: Uint8Array,
  name: string,
  signal: AbortSignal | undefined,
): Promise<StoredInstance> {
  const { sopClassUid, instanceUid, studyUid } = readReference(dicom, name)
  const answered = await post(pacs, dicom, instanceUid, signal)
  if (await isListed(pacs, studyUid, instanceUid, answered === undefined, signal))
    return { sopClassUid, instanceUid, stored: true }
  const reason = answered ?? 'it answered that it did, and does not list it'
  return { sopClassUid, instanceUid, stored: false, reason: `The PACS did not store it: ${reason}.` }
}

/** Gives what the archive answers against it. Not in chunks but with a length, which servers need (PS3.18, 8.6.1.2.1). */
async function post(
  pacs: PacsSettings,
  dicom: Uint8Array,
  instanceUid: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const { name: where } = pacs
  try {
    return await request(
      pacs,
      { method: 'POST', path: 'studies', accept: dicomJson, body: multipartOf(dicom), accepted: [409] },
      async (answer) => {
        const [dataset = {}] = await readDatasets(answer, where)
        return failureOf(dataset, instanceUid) ?? (answer.status === 409 ? 'it answered 409' : undefined)
      },
      signal,
    )
  } catch (error) {
    if (error instanceof JcsError && error.code === 'PACS_REFUSED') return error.message
    throw error
  }
}

function failureOf(dataset: JsonDataset, instanceUid: string): string | undefined {
  const failed = itemsOf(dataset, tag.failedSequence).find(
    (item) => (textOf(item, tag.referencedInstanceUid) ?? instanceUid) === instanceUid,
  )
  if (!failed) return undefined
  const [code] = numbersOf(failed, tag.failureReason)
  if (!Number.isInteger(code)) return 'it gives no reason'
  const digits = code!.toString(16).toUpperCase().padStart(4, '0')
  const known = failureReasons.find(([pattern]) => pattern.test(digits))?.[1]
  return known ? `${known} (${digits})` : `failure ${digits}`
}

async function isListed(
  pacs: PacsSettings,
  studyUid: string,
  instanceUid: string,
  isExpected: boolean,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    if (await hasInstance(pacs, studyUid, instanceUid, signal)) return true
    if (!isExpected || attempt === confirmations) return false
    await waitUntilAborted(pacs.retryDelayMs * 2 ** (attempt - 1), signal)
  }
}
