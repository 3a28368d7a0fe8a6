import { checkOptions } from './base/check'
import { JcsError } from './base/errors'
import { type Pacs, storeInstance, takePacs } from './dicomweb'
import type { StoredInstance } from './run/results'
import { Run, type RunOptions } from './run/run'

/**
 * Stores DICOM files in an archive (STOW-RS, PS3.18, 10.5), one after the other, and asks for each whether it is there:
 * servers have answered that they stored what they had not. One that was there before counts as stored. What the archive
 * refuses stops none of the others.
 *
 * @param files whole ones, such as `dicomResults` gives
 * @returns in the order of the files, for each whether the archive lists it, and if not, why
 * @throws JcsError CORRUPT_FILE for what is no DICOM instance, PACS_UNREACHABLE, PACS_UNAUTHORIZED, PACS_ANSWER_INVALID,
 * CANCELLED; calling it again stores nothing twice
 */
export function storeInstances(
  pacs: Pacs,
  files: readonly Uint8Array[],
  options: RunOptions = {},
): Run<StoredInstance[]> {
  return new Run(async ({ signal, emit }) => {
    const settings = takePacs(pacs)
    checkOptions('options', options, ['signal', 'onProgress'])
    if (!Array.isArray(files) || !files.every((file) => file instanceof Uint8Array))
      throw new JcsError('INVALID_TYPE', 'files must be an array of Uint8Array, the bytes of DICOM files')
    const stored: StoredInstance[] = []
    for (const [index, file] of files.entries()) {
      stored.push(await storeInstance(settings, file, `files[${index}]`, signal))
      emit({ phase: 'store', done: stored.length, total: files.length })
    }
    return stored
  }, options)
}
