import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import t from 'tap'
import { JcsError, openCase } from '../../ts/index'
import { decodeImage } from './decoded-images'
import {
  ctElements,
  ctSlice,
  type DicomElement,
  element,
  encapsulated,
  encodeDicom,
  encodeElement,
  filesOf,
  stack,
  writeFiles,
} from './dicom-files'
import { sharedData } from './shared-data'

const plain = { number: 0, position: [0, 0, 0] as const }
const changed = (...change: DicomElement[]) => ctSlice({ ...plain, change })
const without = (...tags: string[]) => encodeDicom(ctElements(plain).filter(({ tag }) => !tags.includes(tag)))

/** Sequence items within items, `depth` deep, as bytes: the helper that encodes trees would overflow its own stack. */
function nested(depth: number): Buffer {
  const open = Buffer.concat([
    Buffer.from([0x08, 0x00, 0x40, 0x11]),
    Buffer.from('SQ\0\0'),
    Buffer.from([0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0x00, 0xe0, 0xff, 0xff, 0xff, 0xff]),
  ])
  return Buffer.concat(Array.from({ length: depth }, () => open))
}

const raw = (bytes: Buffer) => encodeDicom([], undefined, () => bytes)
const deflated = (bytes: Buffer) =>
  encodeDicom([], '1.2.840.10008.1.2.1.99', () => deflateRawSync(bytes, { level: 9 }))
const all = (elements: readonly DicomElement[]) => Buffer.concat(elements.map(encodeElement))

const hostile: Record<string, [Buffer, string]> = {
  'nothing after the prefix': [Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]), 'CORRUPT_FILE'],
  'an unknown transfer syntax': [encodeDicom(ctElements(plain), '1.2.3.4'), 'UNSUPPORTED_FORMAT'],
  'sequences nested 100,000 deep': [raw(nested(100_000)), 'CORRUPT_FILE'],
  'a million empty items': [
    raw(
      Buffer.concat([
        Buffer.from('0800401153510000ffffffff', 'hex'),
        Buffer.alloc(8_000_000, Buffer.from('feff00e000000000', 'hex')),
      ]),
    ),
    'UNSUPPORTED_FORMAT',
  ],
  'a deflated bomb': [deflated(Buffer.alloc(2 ** 29 + 2 ** 20)), 'INPUT_TOO_LARGE'],
  'deflated rubbish': [
    encodeDicom([], '1.2.840.10008.1.2.1.99', () => Buffer.from('rubbish rubbish')),
    'CORRUPT_FILE',
  ],
  'rows and columns beyond all measure': [
    changed(element('00280010', 'US', [65535]), element('00280011', 'US', [65535])),
    'INPUT_TOO_LARGE',
  ],
  'no rows': [without('00280010'), 'CORRUPT_FILE'],
  'no bits': [without('00280100'), 'CORRUPT_FILE'],
  'no modality': [without('00080060'), 'UNSUPPORTED_FORMAT'],
  'more bits stored than allocated': [changed(element('00280101', 'US', [17])), 'CORRUPT_FILE'],
  'bits at the wrong place': [changed(element('00280102', 'US', [15])), 'CORRUPT_FILE'],
  '32 bits': [changed(element('00280100', 'US', [32])), 'UNSUPPORTED_FORMAT'],
  colours: [changed(element('00280002', 'US', [3]), element('00280004', 'CS', 'RGB')), 'UNSUPPORTED_FORMAT'],
  'a billion frames': [changed(element('00280008', 'IS', '1000000000')), 'CORRUPT_FILE'],
  'negative frames': [changed(element('00280008', 'IS', '-1')), 'CORRUPT_FILE'],
  'fewer pixels than claimed': [changed(element('7FE00010', 'OW', new Uint8Array(10))), 'CORRUPT_FILE'],
  'no pixels': [without('7FE00010'), 'UNSUPPORTED_FORMAT'],
  'compressed, and no fragments': [encodeDicom(ctElements(plain), '1.2.840.10008.1.2.4.70'), 'CORRUPT_FILE'],
}

for (const codec of ['5', '4.50', '4.70', '4.80', '4.90', '4.201']) {
  const pixels = encapsulated(Buffer.alloc(64, 7))
  const header = all(ctElements(plain).filter(({ tag }) => tag !== '7FE00010'))
  hostile[`rubbish for the codec of ${codec}`] = [
    encodeDicom([], `1.2.840.10008.1.2.${codec}`, () => Buffer.concat([header, pixels])),
    'CORRUPT_FILE',
  ]
}

t.test('hostile files are errors that say so, in bounded time', async (t) => {
  for (const [name, [bytes, code]] of Object.entries(hostile)) {
    const startMs = performance.now()
    await t.rejects(decodeImage(bytes), { code }, name)
    t.ok(performance.now() - startMs < 30_000, name)
  }
})

t.test('a file that takes all of its thread is named, and the others are read', async (t) => {
  const endless = Buffer.concat([
    Buffer.from('0800401153510000ffffffff', 'hex'),
    Buffer.alloc(8 * 6_000_000, Buffer.from('feff00e000000000', 'hex')),
  ])
  const directory = writeFiles(t.testdir({}), { endless: raw(endless), ...filesOf(stack(3)) })
  using scan = openCase(directory, { onBadSlice: 'skip' })
  await scan.image(0)
  t.match(scan.series, {
    slices: 3,
    excluded: [{ what: "'endless'", reason: 'It needs more than 1024 MiB to be read.' }],
  })
  t.match(scan.warnings, [/'endless' could not be read/])
})

/** Numbers that look random and are the same on every run (Lehmer). */
function sequence(seed: number): () => number {
  let state = seed
  return () => (state = (state * 48271) % 2147483647)
}

t.test(
  'files cut anywhere, or with bytes changed, decode or are errors',
  { skip: sharedData.missing },
  async (t) => {
    const folder = sharedData.path('dicom/transfer-syntaxes')
    const files = [
      'CTImage.dcm',
      'CTImage.dcm_RLELosslessTransferSyntax_1.2.840.10008.1.2.5.dcm',
      'CTImage.dcm_JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50.dcm',
      'CTImage.dcm_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70.dcm',
      'CTImage.dcm_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80.dcm',
      'CTImage.dcm_JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90.dcm',
      'CTImage.dcm_DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99.dcm',
      'CTImage.dcm_BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2.dcm',
    ]
    const codes = new Set<string>()
    for (const [file, name] of files.entries()) {
      const original = readFileSync(join(folder, name))
      const next = sequence(file + 1)
      for (let round = 0; round < 24; round++) {
        const bytes = Buffer.from(round % 3 === 0 ? original.subarray(0, next() % original.length) : original)
        if (round % 3 > 0 && bytes.length > 400) {
          // Mostly the header, where lengths and sizes stand.
          const reach = round % 3 === 1 ? Math.min(bytes.length, 3000) : bytes.length
          for (let i = 0; i < 4; i++) bytes[132 + (next() % (reach - 132))] = next() % 256
        }
        try {
          const { data } = await decodeImage(bytes)
          codes.add(data instanceof Int16Array ? 'decoded' : 'wrong type')
        } catch (error) {
          codes.add(error instanceof JcsError ? error.code : String(error))
        }
      }
    }
    const expected = [
      'decoded',
      'CORRUPT_FILE',
      'INPUT_TOO_LARGE',
      'INVALID_ARGUMENT',
      'UNSUPPORTED_FORMAT',
      'EMPTY_DATASET',
    ]
    t.same(
      [...codes].filter((code) => !expected.includes(code)),
      [],
    )
    t.ok(codes.has('decoded') && codes.has('CORRUPT_FILE'))
  },
)
