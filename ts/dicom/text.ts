/** What is taken of dicom-character-set, which has no types of its own. */
interface DicomCharacterSet {
  /** Throws for a character set that DICOM does not define; what is not of the set becomes U+FFFD. */
  convertBytes(characterSet: string, bytes: Uint8Array, options: { vr: string }): string
}

/**
 * Text in the character sets of DICOM (PS3.3, C.12.1.1.2; PS3.5, 6.1.2). `vr`: PN or another, whose delimiters lead back to
 * the first set. Undefined where a set is not known, or the bytes are not of it.
 */
export function decodeText(bytes: Uint8Array, characterSet: string, vr: string): string | undefined {
  const { convertBytes } = require('dicom-character-set') as DicomCharacterSet
  // What declares none is ASCII; scanners write Latin 1 all the same.
  const declared = characterSet === '' || characterSet === 'ISO_IR 6' ? 'ISO_IR 100' : characterSet
  try {
    const text = convertBytes(declared, bytes, { vr }).replaceAll('\0', '').trim()
    return text.includes('\ufffd') ? undefined : text
  } catch {
    return undefined
  }
}
