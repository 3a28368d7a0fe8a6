/** File preamble and prefix (PS3.10, 7.1). */
const preambleLength = 128
const prefix = 'DICM'
const metaStart = preambleLength + prefix.length

/** What a data set may begin with, as some archives store it: without preamble, prefix and meta information. */
export interface BareDataSet {
  /** Implicit VR little endian, the default of networks (PS3.5, 10.1), else explicit. */
  isImplicit: boolean
}

export function hasPrefix(head: Uint8Array): boolean {
  return textAt(head, preambleLength, prefix.length) === prefix
}

/** Meta information from the first byte on: the preamble was lost. */
export function lacksPreamble(head: Uint8Array): boolean {
  // (0002,0000) UL, or (0002,0001) OB.
  return ['\x02\0\0\0UL', '\x02\0\x01\0OB'].includes(textAt(head, 0, 6))
}

/** First elements of the identifying group (0008): group length, character set, image type, codes, instance class. */
const firstElements = new Set([0x0000, 0x0001, 0x0005, 0x0006, 0x0008, 0x0012, 0x0016])

/** Nothing but the data set, recognised by its first element, whose length must be a sensible one. */
export function bareDataSet(head: Uint8Array): BareDataSet | undefined {
  if (head.length < 8) return undefined
  const view = new DataView(head.buffer, head.byteOffset, head.length)
  if (view.getUint16(0, true) !== 0x0008 || !firstElements.has(view.getUint16(2, true))) return undefined
  const isSensible = (length: number) => length <= 1024 && length % 2 === 0
  if (/^(UL|CS|DA|TM|UI)$/.test(textAt(head, 4, 2)))
    return isSensible(view.getUint16(6, true)) ? { isImplicit: false } : undefined
  return isSensible(view.getUint32(4, true)) ? { isImplicit: true } : undefined
}

/** Whether bytes are DICOM, by how they begin. */
export function isDicom(head: Uint8Array): boolean {
  return hasPrefix(head) || lacksPreamble(head) || bareDataSet(head) !== undefined
}

/** The file with the preamble that it lacks. */
export function withPreamble(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(metaStart + bytes.length)
  whole.set(Buffer.from(prefix, 'latin1'), preambleLength)
  whole.set(bytes, metaStart)
  return whole
}

function textAt(bytes: Uint8Array, offset: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', offset, offset + length)
}
