import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Writes DICOM files (PS3.10, Explicit VR Little Endian) element by element, also such as nobody should. */
export interface DicomElement {
  /** Eight hexadecimal digits. */
  tag: string
  vr: string
  value: string | readonly number[] | Uint8Array | readonly DicomElement[][]
}

const longLengths = new Set(['OB', 'OW', 'OV', 'SQ', 'UN', 'UT', 'UV', 'SV'])

export function element(tag: string, vr: string, value: DicomElement['value']): DicomElement {
  return { tag, vr, value }
}

export function encodeElement({ tag, vr, value }: DicomElement): Buffer {
  const content = encodeValue(vr, value)
  const header = Buffer.alloc(longLengths.has(vr) ? 12 : 8)
  header.writeUInt16LE(Number.parseInt(tag.slice(0, 4), 16), 0)
  header.writeUInt16LE(Number.parseInt(tag.slice(4), 16), 2)
  header.write(vr, 4, 'latin1')
  if (longLengths.has(vr)) header.writeUInt32LE(content.length, 8)
  else header.writeUInt16LE(content.length, 6)
  return Buffer.concat([header, content])
}

function encodeValue(vr: string, value: DicomElement['value']): Buffer {
  if (value instanceof Uint8Array) return padded(Buffer.from(value), 0)
  if (typeof value === 'string') return padded(Buffer.from(value, 'latin1'), vr === 'UI' ? 0 : 0x20)
  if (vr === 'SQ') {
    return Buffer.concat((value as DicomElement[][]).map((item) => encodeItem(item)))
  }
  const numbers = value as readonly number[]
  const size = vr === 'UL' ? 4 : 2
  const bytes = Buffer.alloc(size * numbers.length)
  numbers.forEach((number, index) => {
    if (vr === 'UL') bytes.writeUInt32LE(number, 4 * index)
    else if (vr === 'SS') bytes.writeInt16LE(number, 2 * index)
    else bytes.writeUInt16LE(number, 2 * index)
  })
  return bytes
}

function encodeItem(elements: readonly DicomElement[]): Buffer {
  const content = Buffer.concat(elements.map(encodeElement))
  const header = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0])
  header.writeUInt32LE(content.length, 4)
  return Buffer.concat([header, content])
}

/** PixelData of one compressed frame in one fragment (PS3.5, A.4). */
export function encapsulated(frame: Uint8Array): Buffer {
  const content = padded(Buffer.from(frame), 0)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(content.length)
  return Buffer.concat([
    Buffer.from('e07f10004f420000ffffffff', 'hex'),
    Buffer.from('feff00e000000000', 'hex'),
    Buffer.from('feff00e0', 'hex'),
    length,
    content,
    Buffer.from('feffdde000000000', 'hex'),
  ])
}

function padded(bytes: Buffer, by: number): Buffer {
  return bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.from([by])])
}

export function encodeDicom(
  elements: readonly DicomElement[],
  transferSyntax = '1.2.840.10008.1.2.1',
  encode: (elements: readonly DicomElement[]) => Buffer = (all) => Buffer.concat(all.map(encodeElement)),
): Buffer {
  const meta = Buffer.concat(
    [element('00020001', 'OB', Uint8Array.of(0, 1)), element('00020010', 'UI', transferSyntax)].map(
      encodeElement,
    ),
  )
  const length = encodeElement(element('00020000', 'UL', [meta.length]))
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), length, meta, encode(elements)])
}

/** A CT slice of 8 × 6 pixels whose stored values are 1000 + its number, unless `change` says otherwise. */
export interface CtSlice {
  number: number
  position: readonly [number, number, number]
  orientation?: readonly number[]
  uid?: string
  series?: string
  /** Elements that replace those of the same tag, or are added. */
  change?: readonly DicomElement[]
}

export const rows = 6
export const columns = 8

export function ctElements({
  number,
  position,
  orientation,
  uid,
  series = '1.2.3',
  change = [],
}: CtSlice): DicomElement[] {
  const stored = new Uint16Array(rows * columns).fill(1000 + number)
  const elements = [
    element('00080008', 'CS', 'ORIGINAL\\PRIMARY\\AXIAL'),
    element('00080016', 'UI', '1.2.840.10008.5.1.4.1.1.2'),
    element('00080018', 'UI', uid ?? `1.2.3.${number}`),
    element('00080060', 'CS', 'CT'),
    element('00100010', 'PN', 'Doe^Jane'),
    element('00100020', 'LO', 'PATIENT-4711'),
    element('00100030', 'DA', '19610203'),
    element('0020000D', 'UI', '1.2'),
    element('0020000E', 'UI', series),
    element('00200013', 'IS', String(number)),
    element('00200032', 'DS', position.join('\\')),
    element('00200037', 'DS', (orientation ?? [1, 0, 0, 0, 1, 0]).join('\\')),
    element('00280002', 'US', [1]),
    element('00280004', 'CS', 'MONOCHROME2'),
    element('00280010', 'US', [rows]),
    element('00280011', 'US', [columns]),
    element('00280030', 'DS', '0.5\\0.75'),
    element('00280100', 'US', [16]),
    element('00280101', 'US', [12]),
    element('00280102', 'US', [11]),
    element('00280103', 'US', [0]),
    element('00281052', 'DS', '-1024'),
    element('00281053', 'DS', '1'),
    element('7FE00010', 'OW', new Uint8Array(stored.buffer)),
  ]
  const changed = new Set(change.map(({ tag }) => tag))
  return [...elements.filter(({ tag }) => !changed.has(tag)), ...change].sort((a, b) =>
    a.tag < b.tag ? -1 : 1,
  )
}

export function ctSlice(slice: CtSlice): Buffer {
  return encodeDicom(ctElements(slice))
}

/** Writes files below `directory` and gives it. */
export function writeFiles(directory: string, files: Record<string, Uint8Array>): string {
  for (const [name, bytes] of Object.entries(files)) {
    const path = join(directory, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
  }
  return directory
}

/** Slices 2 mm apart; number 0 lies nearest to the feet. The head's is read first. */
export function stack(count: number, change: (number: number) => Partial<CtSlice> = () => ({})): CtSlice[] {
  return Array.from({ length: count }, (_, number) => ({
    number,
    position: [-10, -20, 2 * number],
    ...change(number),
  }))
}

/** File names that say nothing about the order. */
export function filesOf(slices: readonly CtSlice[]): Record<string, Uint8Array> {
  return Object.fromEntries(
    slices.map((slice, index) => [`IM${(7919 * (index + 3)) % 1009}-${index}`, ctSlice(slice)]),
  )
}
