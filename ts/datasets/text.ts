import { JcsError } from '../base/errors'
import { readWhole } from '../base/files'

/** Lists of more than this are no lists. */
const maxListBytes = 2 ** 28

/** The text of a list or CSV file, without a byte order mark. */
export async function readText(path: string): Promise<string> {
  const bytes = await readWhole(path, maxListBytes)
  if (bytes.includes(0)) {
    throw new JcsError(
      'UNSUPPORTED_FORMAT',
      `'${path}' is not a text file; a dataset is a list, a CSV file or a directory (UTF-8, not UTF-16)`,
    )
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new JcsError('CORRUPT_FILE', `'${path}' is not UTF-8 text`, { cause: error })
  }
}
