/** A result or an event as JSON says it: maps, masks and pixels are for files, and are not made for this. */
export function withoutArrays(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return undefined
  if (Array.isArray(value)) return value.map(withoutArrays)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(Object.getOwnPropertyDescriptors(value))
    // What is made when it is read is a mask.
    .filter(([, { get, enumerable }]) => enumerable && !get)
    .map(([name, { value: field }]) => [name, field] as const)
    .filter(([, field]) => !ArrayBuffer.isView(field) && !('data' in Object(field)))
  return Object.fromEntries(entries.map(([name, field]) => [name, withoutArrays(field)]))
}
