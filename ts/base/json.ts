import { JcsError } from './errors'
import { readWhole } from './files'

/** The object in a JSON file. @throws JcsError CORRUPT_FILE for what is none, INPUT_TOO_LARGE, and what reading gives */
export async function readJsonObject(path: string, maxBytes: number): Promise<Record<string, unknown>> {
  const text = Buffer.from(await readWhole(path, maxBytes)).toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new JcsError('CORRUPT_FILE', `'${path}' is not JSON: ${(error as Error).message}`, { cause: error })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new JcsError('CORRUPT_FILE', `'${path}' holds no JSON object`)
}

/** JSON has no NaN: a number that is not defined arrives as null. */
export function nullAsNaN(numbers: Record<string, number | null>): Record<string, number> {
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, value ?? Number.NaN]))
}

/** Equal for equal values, whatever the order of their names. */
export function canonicalJson(value: unknown): string | undefined {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
