import t from 'tap'
import { openCase } from '../../ts/index'
import {
  columns,
  ctElements,
  ctSlice,
  type DicomElement,
  element,
  encapsulated,
  encodeDicom,
  encodeElement,
  rows,
} from './dicom-files'

t.test('values: signs, padding, rounding, saturation, and MONOCHROME1', async (t) => {
  const valuesOf = async (stored: readonly number[], change: readonly DicomElement[]) => {
    const pixels = Int16Array.from({ length: rows * columns }, (_, index) => stored[index] ?? 0)
    using scan = openCase(
      ctSlice({
        number: 0,
        position: [0, 0, 0],
        change: [...change, element('7FE00010', 'OW', new Uint8Array(pixels.buffer))],
      }),
    )
    const { data } = await scan.image(0)
    return { values: [...data.slice(0, stored.length)], warnings: scan.warnings }
  }
  const bits = (stored: number) => [
    element('00280101', 'US', [stored]),
    element('00280102', 'US', [stored - 1]),
  ]
  const rescale = (slope: string, intercept: string) => [
    element('00281052', 'DS', intercept),
    element('00281053', 'DS', slope),
  ]

  const signed12 = [...bits(12), element('00280103', 'US', [1]), ...rescale('1', '0')]
  t.same(
    (await valuesOf([5, 0xfff, 0x800, 0x7ff], signed12)).values,
    [5, -1, -2048, 2047],
    'the twelfth bit is the sign',
  )
  t.same(
    (await valuesOf([0x1005, 0xf000 - 65536], bits(12))).values,
    [-1019, -1024],
    'bits above are not pixels',
  )

  const padded = [
    ...bits(16),
    element('00280103', 'US', [1]),
    ...rescale('1', '-1024'),
    element('00280120', 'SS', [-2000]),
  ]
  t.same((await valuesOf([-2000, 100, 0], padded)).values, [-3024, -924, -1024])
  const bright = [...bits(12), ...rescale('1', '-1024'), element('00280120', 'US', [4095])]
  t.same((await valuesOf([4095, 4094], bright)).values, [-1024, 3070], 'bright padding becomes air')

  const rounded = await valuesOf([1, 2, 3], [...bits(12), ...rescale('0.5', '0')])
  t.same(rounded.values, [1, 1, 2])
  t.match(rounded.warnings, [/rounded to whole Hounsfield units/])
  const saturated = await valuesOf([4095, 1], [...bits(12), ...rescale('100', '0')])
  t.same(saturated.values, [32767, 100])
  t.match(saturated.warnings, [/1 pixels exceed 16 bits/])

  const inverted = [...bits(12), element('00280004', 'CS', 'MONOCHROME1')]
  t.same((await valuesOf([1024], inverted)).values, [0], 'a matter of display: HU are HU')
})

t.test(
  'High-Throughput JPEG 2000, of which no other reader is at hand: what was encoded comes back',
  async (t) => {
    const codec = await require('@cornerstonejs/codec-openjph/wasmjs')({ print() {}, printErr() {} })
    const side = 64
    const stored = Uint16Array.from({ length: side * side }, (_, pixel) => (pixel * 37) % 4096)
    const encoder = new codec.HTJ2KEncoder()
    encoder
      .getDecodedBuffer({
        width: side,
        height: side,
        bitsPerSample: 16,
        componentCount: 1,
        isSigned: false,
        isUsingColorTransform: false,
      })
      .set(new Uint8Array(stored.buffer))
    encoder.setQuality(true, 0)
    encoder.encode()
    const codestream = Buffer.from(encoder.getEncodedBuffer())
    const elements = ctElements({
      number: 0,
      position: [0, 0, 0],
      change: [element('00280010', 'US', [side]), element('00280011', 'US', [side])],
    }).filter(({ tag }) => tag !== '7FE00010')
    for (const transferSyntax of ['201', '202', '203']) {
      const bytes = encodeDicom(elements, `1.2.840.10008.1.2.4.${transferSyntax}`, (all) =>
        Buffer.concat([...all.map(encodeElement), encapsulated(codestream)]),
      )
      using scan = openCase(bytes)
      const { data } = await scan.image(0)
      t.same(
        [...data],
        [...stored].map((value) => value - 1024),
        transferSyntax,
      )
    }
  },
)
