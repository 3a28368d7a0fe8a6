import { join } from 'node:path'
import { JcsError } from './errors'
import { exists } from './files'
import { canonicalJson, readJsonObject } from './json'
import { makeWritableDirectory, writeFileAtomically } from './write-files'

const mostBytes = 2 ** 28

/**
 * Writes `plan.json` into the directory, or proves that what is there is the same plan; `what` a plan is says the message.
 *
 * @throws JcsError RESUME_MISMATCH, CORRUPT_FILE, FILE_UNWRITABLE, DISK_FULL
 */
export async function keepPlan(
  directory: string,
  what: string,
  plan: Readonly<Record<string, unknown>>,
): Promise<void> {
  await makeWritableDirectory(directory)
  const file = join(directory, 'plan.json')
  if (!(await exists(file))) return writeFileAtomically(file, `${JSON.stringify(plan, undefined, 2)}\n`)
  const before = await readJsonObject(file, mostBytes)
  const names = new Set([...Object.keys(before), ...Object.keys(plan)])
  const different = [...names].filter((name) => canonicalJson(before[name]) !== canonicalJson(plan[name]))
  if (different.length > 0)
    throw new JcsError(
      'RESUME_MISMATCH',
      `'${directory}' has ${what} of other ${different.join(', ')}; go on with its own, or choose another directory`,
    )
}
