import { JcsError } from './errors'

/** Checks of options that arrive from untyped callers. `name` is what the message calls the value. */

export function requireObject(name: string, value: unknown): asserts value is Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  throw new JcsError('INVALID_TYPE', `${name} must be an object, got ${describe(value)}`)
}

/** Names that are not options are mistakes, and are never passed over. */
export function requireKnown(name: string, value: object, known: readonly string[]): void {
  const unknown = Object.keys(value).find((key) => !known.includes(key))
  if (unknown === undefined) return
  throw new JcsError(
    'INVALID_ARGUMENT',
    `${name} has no option '${unknown}'; it has ${known.map((key) => `'${key}'`).join(', ')}`,
  )
}

/** An object of which every name is an option. */
export function checkOptions(name: string, options: unknown, known: readonly string[]): void {
  requireObject(name, options)
  requireKnown(name, options, known)
}

export function requireBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean')
    throw new JcsError('INVALID_TYPE', `${name} must be true or false, got ${describe(value)}`)
}

export function requireString(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string')
    throw new JcsError('INVALID_TYPE', `${name} must be a string, got ${describe(value)}`)
  if (value === '' || value.includes('\0')) {
    throw new JcsError('INVALID_ARGUMENT', `${name} is ${JSON.stringify(value)}, which names nothing`)
  }
}

export function requireOneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value !== 'string')
    throw new JcsError('INVALID_TYPE', `${name} must be a string, got ${describe(value)}`)
  if (allowed.includes(value)) return
  const list = allowed.map((text) => `'${text}'`).join(', ')
  throw new JcsError('INVALID_ARGUMENT', `${name} must be one of ${list}, got '${value}'`)
}

export function requireWhole(
  name: string,
  value: unknown,
  low: number,
  high = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  requireNumber(name, value, low, high)
  if (!Number.isInteger(value))
    throw new JcsError('INVALID_ARGUMENT', `${name} must be a whole number, got ${value}`)
}

export function requireNumber(
  name: string,
  value: unknown,
  low: number,
  high: number,
): asserts value is number {
  if (typeof value !== 'number')
    throw new JcsError('INVALID_TYPE', `${name} must be a number, got ${describe(value)}`)
  if (value >= low && value <= high) return
  const range = high === Number.MAX_SAFE_INTEGER ? `at least ${low}` : `between ${low} and ${high}`
  throw new JcsError('INVALID_ARGUMENT', `${name} must be ${range}, got ${value}`)
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? Object.prototype.toString.call(value).slice(8, -1) : typeof value
}
