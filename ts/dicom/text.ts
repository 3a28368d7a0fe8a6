/** Text in the character sets of DICOM (PS3.3, C.12.1.1.2; PS3.5, 6.1.2): all but JIS X 0212, which Node decodes not. */

/** Decoders by the defined terms of SpecificCharacterSet; those of ISO 2022 have the same as those without. */
const labels: Readonly<Record<string, string>> = {
  '': 'windows-1252', // ISO_IR 6 is ASCII; scanners write Latin 1 all the same
  '6': 'windows-1252',
  '100': 'windows-1252',
  '101': 'iso-8859-2',
  '109': 'iso-8859-3',
  '110': 'iso-8859-4',
  '126': 'iso-8859-7',
  '127': 'iso-8859-6',
  '138': 'iso-8859-8',
  '144': 'iso-8859-5',
  '148': 'windows-1254',
  '203': 'iso-8859-15',
  '13': 'shift_jis',
  '166': 'windows-874',
  '87': 'iso-2022-jp',
  '149': 'euc-kr',
  '58': 'gbk',
  '192': 'utf-8',
  GB18030: 'gb18030',
  GBK: 'gbk',
}

/** Escape sequences that lead back to the set of the first value: ASCII, Roman letters of JIS, and the beginning. */
const toInitial = ['', '(B', '(J']

/** What others switch to (PS3.3, tables C.12-3 and C.12-4). */
const designated: Readonly<Record<string, string>> = {
  '-A': 'windows-1252',
  '-B': 'iso-8859-2',
  '-C': 'iso-8859-3',
  '-D': 'iso-8859-4',
  '-F': 'iso-8859-7',
  '-G': 'iso-8859-6',
  '-H': 'iso-8859-8',
  '-L': 'iso-8859-5',
  '-M': 'windows-1254',
  '-T': 'windows-874',
  ')I': 'shift_jis',
  $B: 'iso-2022-jp',
  '$)C': 'euc-kr',
  '$)A': 'gbk',
}

/** Undefined where a set is not known, or the bytes are not of it. */
export function decodeText(bytes: Uint8Array, characterSet: string): string | undefined {
  const [first = ''] = characterSet.split('\\').map((term) => term.trim().replace(/^ISO(_IR| 2022 IR) /, ''))
  const initial = Object.hasOwn(labels, first) ? labels[first] : undefined
  if (initial === undefined) return undefined
  try {
    return segmentsOf(bytes)
      .map(({ sequence, content }) => decodeSegment(sequence, content, initial))
      .join('')
      .replaceAll('\0', '')
      .trim()
  } catch {
    return undefined
  }
}

interface Segment {
  /** Without the escape character; empty at the beginning. */
  sequence: string
  content: Uint8Array
}

/** What lies between escape sequences: ESC, intermediate bytes 20 to 2F (and $), a final one. */
function segmentsOf(bytes: Uint8Array): Segment[] {
  const segments: Segment[] = []
  let sequence = ''
  let begin = 0
  for (let at = bytes.indexOf(0x1b); at >= 0; at = bytes.indexOf(0x1b, begin)) {
    segments.push({ sequence, content: bytes.subarray(begin, at) })
    let end = at + 1
    while (end < bytes.length && bytes[end]! >= 0x20 && bytes[end]! <= 0x2f) end++
    sequence = String.fromCharCode(...bytes.subarray(at + 1, end + 1))
    begin = end + 1
  }
  segments.push({ sequence, content: bytes.subarray(begin) })
  return segments
}

function decodeSegment(sequence: string, content: Uint8Array, initial: string): string {
  if (toInitial.includes(sequence)) return new TextDecoder(initial, { fatal: true }).decode(content)
  if (!Object.hasOwn(designated, sequence)) throw new Error(`the escape sequence ${sequence} is not known`)
  const decoder = new TextDecoder(designated[sequence], { fatal: true })
  if (sequence !== '$B') return decoder.decode(content)
  // This one decoder takes the escape sequence itself.
  return decoder.decode(Buffer.concat([Buffer.from('\x1b$B', 'latin1'), content]))
}
