import { createHash } from 'node:crypto'

/** 64 characters at most; numbers without leading zeros, separated by periods, the first 0, 1 or 2 (PS3.5, 9.1). */
export function isValidUid(uid: string): boolean {
  return uid.length <= 64 && /^[012](\.(0|[1-9]\d*))+$/.test(uid)
}

/**
 * A UID that needs no registered root: a UUID as a decimal number below 2.25 (PS3.5, B.2). The UUID is of version 8
 * (RFC 9562), made of the SHA-256 of the parts: the same parts give the same UID, others another one.
 */
export function derivedUid(...parts: readonly string[]): string {
  // As JSON, so that ['a', 'bc'] is not ['ab', 'c'].
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16)
  digest[6] = (digest[6]! & 0x0f) | 0x80
  digest[8] = (digest[8]! & 0x3f) | 0x80
  return `2.25.${BigInt(`0x${digest.toString('hex')}`)}`
}
