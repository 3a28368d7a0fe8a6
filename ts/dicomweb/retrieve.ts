import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { JcsError, writeError } from '../base/errors'
import { maxFileBytes, readHead, readWhole } from '../base/files'
import { isDicom, readInstanceUid } from '../dicom'
import { readOnePart } from './multipart'
import type { PacsSettings } from './pacs'
import type { InstanceAddress } from './query'
import { incomplete, request } from './request'

/** What meta information fits into by far. */
const headBytes = 2 ** 14

/**
 * Fetches an instance as the archive has it, pixels in whatever transfer syntax, into the file `path`, unless it is there
 * already. Bytes go from the network to the disk; the file has its name when it is whole.
 *
 * @returns whether it had to be fetched
 * @throws JcsError PACS_UNREACHABLE, PACS_UNAUTHORIZED, PACS_REFUSED, PACS_ANSWER_INVALID, FILE_UNWRITABLE, DISK_FULL,
 * CANCELLED
 */
export async function fetchInstance(
  pacs: PacsSettings,
  { studyUid, seriesUid, instanceUid }: InstanceAddress,
  path: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (await exists(path)) return false
  const { name: where } = pacs
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`)
  try {
    await request(
      pacs,
      {
        method: 'GET',
        path: `studies/${studyUid}/series/${seriesUid}/instances/${instanceUid}`,
        accept: 'multipart/related; type="application/dicom"; transfer-syntax=*',
      },
      async (answer) => {
        const file = await openTo(temporary, path)
        try {
          await readOnePart(answer, maxFileBytes, where, (chunk) => writeTo(file, chunk, path))
          await file.sync().catch((error) => {
            throw writeError(error, path)
          })
        } finally {
          await file.close()
        }
        await requireInstance(temporary, instanceUid, where)
      },
      signal,
    )
    await rename(temporary, path).catch((error) => {
      throw writeError(error, path)
    })
    return true
  } finally {
    await rm(temporary, { force: true }).catch(() => {})
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  )
}

/** Emptied, where an earlier try left something. */
function openTo(temporary: string, path: string): Promise<FileHandle> {
  return open(temporary, 'w').catch((error) => {
    throw writeError(error, path)
  })
}

async function writeTo(file: FileHandle, chunk: Uint8Array, path: string): Promise<void> {
  try {
    for (let done = 0; done < chunk.length; )
      done += (await file.write(chunk, done, chunk.length - done)).bytesWritten
  } catch (error) {
    throw writeError(error, path)
  }
}

/** What an archive answers is what it was asked for, or a diagnosis would be of somebody else. */
async function requireInstance(path: string, instanceUid: string, where: string): Promise<void> {
  const head = await readHead(path, headBytes)
  if (head.length === 0) throw incomplete(`${where} answers with an empty instance`)
  if (!isDicom(head))
    throw new JcsError('PACS_ANSWER_INVALID', `${where} answers with something that is no DICOM instance`)
  const name = `an instance of ${where}`
  // Of a compressed data set the head is not enough.
  const uid = readInstanceUid(head, name) ?? readInstanceUid(await readWhole(path), name)
  if (uid !== instanceUid)
    throw new JcsError('PACS_ANSWER_INVALID', `${where} answers with another instance than ${instanceUid}`)
}
