import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { applyWindow, type DecodedImage, inspectImage } from '../../ts/images'
import { collect, decodeImage, decodeMask, flatGray, image } from './decoded-images'
import { encodePng, encodeTiff, grayPng } from './encoded-images'
import { sharedData } from './shared-data'

const wordBytes = (words: number[]) => new Uint8Array(Uint16Array.from(words).buffer)

t.test('PNG of every colour type and depth', async (t) => {
  const cases: Record<string, [Buffer, DecodedImage]> = {
    'gray 1 bit': [
      encodePng({ width: 8, height: 1, bitDepth: 1, colourType: 0, rows: [[0b10110000]] }),
      image(Uint8Array.of(255, 0, 255, 255, 0, 0, 0, 0), 8, 1, 1),
    ],
    'gray 2 bit': [
      encodePng({ width: 4, height: 1, bitDepth: 2, colourType: 0, rows: [[0b00011011]] }),
      image(Uint8Array.of(0, 85, 170, 255), 4, 1, 1),
    ],
    'gray 8 bit': [grayPng(3, 2, (x, y) => 10 * y + x), image(Uint8Array.of(0, 1, 2, 10, 11, 12), 3, 2, 1)],
    'gray 16 bit': [
      encodePng({ width: 2, height: 1, bitDepth: 16, colourType: 0, rows: [[0x12, 0x34, 0xff, 0xff]] }),
      image(Uint16Array.of(0x1234, 0xffff), 2, 1, 1),
    ],
    'gray and alpha, on black': [
      encodePng({ width: 2, height: 1, colourType: 4, rows: [[200, 255, 200, 128]] }),
      image(Uint8Array.of(200, 100), 2, 1, 1),
    ],
    RGB: [
      encodePng({
        width: 1,
        height: 2,
        colourType: 2,
        rows: [
          [1, 2, 3],
          [4, 5, 6],
        ],
      }),
      image(Uint8Array.of(1, 2, 3, 4, 5, 6), 1, 2, 3),
    ],
    'RGBA 16 bit': [
      encodePng({
        width: 1,
        height: 1,
        bitDepth: 16,
        colourType: 6,
        rows: [[0x80, 1, 0x40, 2, 0x20, 3, 0xff, 0xff]],
      }),
      image(Uint16Array.of(0x8001, 0x4002, 0x2003), 1, 1, 3),
    ],
    'palette with transparency, on black': [
      encodePng({
        width: 3,
        height: 1,
        colourType: 3,
        rows: [[0, 1, 2]],
        palette: [10, 20, 30, 255, 255, 255, 9, 9, 9],
        paletteAlpha: [255, 128, 0],
      }),
      image(Uint8Array.of(10, 20, 30, 128, 128, 128, 0, 0, 0), 3, 1, 3),
    ],
  }
  for (const [name, [bytes, expected]] of Object.entries(cases))
    t.same(await decodeImage(bytes), expected, name)
})

t.test('TIFF: 8 and 16 bit, white is zero, one bit, RGB; each page is a slice', async (t) => {
  const gray16 = encodeTiff([{ width: 2, height: 1, bitsPerSample: 16, data: wordBytes([1, 65535]) }])
  t.same(await decodeImage(gray16), image(Uint16Array.of(1, 65535), 2, 1, 1))
  const inverted = encodeTiff([
    { width: 2, height: 1, bitsPerSample: 8, photometric: 0, data: Uint8Array.of(0, 200) },
  ])
  t.same(await decodeImage(inverted), image(Uint8Array.of(255, 55), 2, 1, 1))
  const bits = encodeTiff([{ width: 8, height: 1, bitsPerSample: 1, data: Uint8Array.of(0b10100000) }])
  t.same(await decodeImage(bits), image(Uint8Array.of(255, 0, 255, 0, 0, 0, 0, 0), 8, 1, 1))

  const pages = [1, 2, 3].map((value) => ({
    width: 2,
    height: value,
    bitsPerSample: 8,
    data: new Uint8Array(2 * value).fill(value),
  }))
  const totals: number[] = []
  t.same(
    await collect(encodeTiff(pages), { onTotal: (total) => totals.push(total) }),
    pages.map(({ data, width, height }) => image(data, width, height, 1)),
  )
  t.same(totals, [1, 3])
  await t.rejects(decodeImage(encodeTiff(pages)), { code: 'INVALID_ARGUMENT', message: /holds 3 slices/ })
})

t.test('JPEG, gray and colour', async (t) => {
  const smooth = grayPng(16, 16, (x, y) => 4 * x + 8 * y)
  const gray = await decodeImage(await sharp(smooth).toColourspace('b-w').jpeg({ quality: 100 }).toBuffer())
  t.equal(gray.channels, 1)
  const worst = Math.max(
    ...gray.data.map((value, i) => Math.abs(value - (4 * (i % 16) + 8 * Math.floor(i / 16)))),
  )
  t.ok(worst <= 3, `differs by at most ${worst}`)
  t.equal((await decodeImage(await sharp(smooth).toColourspace('srgb').jpeg().toBuffer())).channels, 3)
})

t.test('stored values count: EXIF orientation and colour profiles are not applied', async (t) => {
  const wide = sharp(grayPng(4, 2, (x) => x))
  const turned = await wide
    .withMetadata({ orientation: 6 })
    .toColourspace('b-w')
    .tiff({ compression: 'none' })
    .toBuffer()
  t.equal((await sharp(turned).metadata()).orientation, 6)
  t.match(await decodeImage(turned), { width: 4, height: 2 })

  const colour = encodePng({ width: 1, height: 1, colourType: 2, rows: [[200, 100, 50]] })
  const stored = await sharp(colour).withIccProfile('p3').png().toBuffer()
  t.ok((await sharp(stored).metadata()).hasProfile)
  // (200, 100, 50) of sRGB is stored as (187, 105, 62) in Display P3.
  t.same([...(await decodeImage(stored)).data], [187, 105, 62])
})

t.test('formats are told apart by content, never by extension', async (t) => {
  const directory = t.testdir({
    'a.jpg': flatGray(7),
    'b.png': await sharp(flatGray(7)).jpeg().toBuffer(),
    c: flatGray(9),
  })
  t.same((await decodeImage(join(directory, 'a.jpg'))).data, Uint8Array.of(7, 7))
  t.match(await decodeImage(join(directory, 'b.png')), { width: 2, height: 1 })
  t.same((await decodeImage(join(directory, 'c'))).data, Uint8Array.of(9, 9))
})

t.test('pixels: scaling is left to the type, windows go along, alpha is composited on black', async (t) => {
  const one = (data: DecodedImage['data'] | Uint8ClampedArray, rest = {}) =>
    decodeImage({ data, width: data.length, height: 1, ...rest })
  t.same((await one(Uint8ClampedArray.of(0, 255))).data, Uint8Array.of(0, 255))
  t.same((await one(Uint16Array.of(0, 65535))).data, Uint16Array.of(0, 65535))
  t.same((await one(Float32Array.of(0, 0.5, 1))).data, Float32Array.of(0, 0.5, 1))
  const window = { center: -600, width: 1500 }
  const hounsfield = Int16Array.of(-2000, -1350, -600, 150, 3000)
  t.same(await one(hounsfield, { window }), {
    ...image(hounsfield, 5, 1, 1),
    window,
  })
  t.same(applyWindow(hounsfield, window), Float32Array.of(0, 0, 0.5, 1, 1))
  const given = await decodeImage({ data: Int16Array.of(-225), width: 1, height: 1 }, { window })
  t.same(given, { ...image(Int16Array.of(-225), 1, 1, 1), window })
  t.same(applyWindow(Int16Array.of(-225), window), Float32Array.of(0.75))
  t.same(
    (await one(Int16Array.of(-225, 150, -1350, 150), { window, width: 1, channels: 4 })).data,
    Float32Array.of(0.75, 1, 0),
    'with alpha, which a window means too',
  )

  const rgba = await decodeImage({
    data: Uint8Array.of(200, 100, 50, 128),
    width: 1,
    height: 1,
    channels: 4,
  })
  t.same(rgba, image(Uint8Array.of(100, 50, 25), 1, 1, 3))
  const float = await decodeImage({
    data: Float32Array.of(1, 0.5, 0, 0.5),
    width: 1,
    height: 1,
    channels: 4,
  })
  t.same(float, image(Float32Array.of(0.5, 0.25, 0), 1, 1, 3))
  t.match(await one(Uint8Array.of(1), { spacing: [0.7, 0.8] }), { spacing: [0.7, 0.8] })
})

t.test('masks: any nonzero pixel, once palette and alpha are resolved', async (t) => {
  const mask = async (source: Parameters<typeof decodeMask>[0]) => [...(await decodeMask(source)).data]
  t.same(await mask(grayPng(4, 1, (x) => [0, 1, 128, 255][x]!)), [0, 1, 1, 1])
  t.same(await mask(encodePng({ width: 2, height: 1, colourType: 2, rows: [[0, 0, 0, 0, 0, 1]] })), [0, 1])
  const palette = [255, 255, 255, 0, 0, 0, 255, 0, 0]
  const indexed = encodePng({ width: 4, height: 1, colourType: 3, rows: [[0, 1, 2, 1]], palette })
  t.same(await mask(indexed), [1, 0, 1, 0], 'palette entries count, not indices')
  t.same(
    await mask(encodePng({ width: 2, height: 1, colourType: 4, rows: [[255, 0, 255, 255]] })),
    [0, 1],
    'alpha',
  )
  t.same(
    await mask({ data: Int16Array.of(0, -1, 3), width: 3, height: 1 }),
    [0, 1, 1],
    'labels need no window',
  )
  t.same(await mask({ data: Float32Array.of(0, 7.5), width: 2, height: 1 }), [0, 1])
  t.same(
    await mask({ data: Uint8Array.of(9, 0, 0, 0, 0, 0, 9, 1), width: 2, height: 1, channels: 4 }),
    [0, 1],
  )
  await t.rejects(mask({ data: Float32Array.of(Number.NaN), width: 1, height: 1 }), { code: 'NOT_FINITE' })
  await t.rejects(mask(Buffer.from('no image')), { code: 'UNSUPPORTED_FORMAT' })
})

t.test('inspectImage reads sizes from headers, and passes over what can be read only once', async (t) => {
  const directory = t.testdir({ 'a.png': grayPng(5, 3, () => 0) })
  t.match(await inspectImage(join(directory, 'a.png')), { width: 5, height: 3 })
  t.match(await inspectImage({ data: new Uint8Array(6), width: 2, height: 3 }), { width: 2, height: 3 })
  t.equal(await inspectImage(new Blob([flatGray(1)]).stream()), undefined)
  await t.rejects(inspectImage(join(directory, 'b.png')), { code: 'FILE_NOT_FOUND' })
})

t.test('real slices and masks', { skip: sharedData.missing }, async (t) => {
  const ct100 = sharedData.path('covid19-ct100')
  const slice = await decodeImage(join(ct100, 'tr_im/tr_im_0001.png'))
  t.match(slice, { width: 512, height: 512, channels: 1 })
  t.type(slice.data, Uint8Array)
  const mask = await decodeMask(join(ct100, 'tr_mask_new/tr_mask_0001.png'))
  const lesion = mask.data.reduce((sum, value) => sum + value, 0)
  t.ok(lesion > 100 && lesion < mask.data.length / 3, `${lesion} lesion pixels`)
  const empty = await decodeMask(join(ct100, 'tr_mask_new/tr_mask_0048.png'))
  t.notOk(empty.data.includes(1), 'slice 48 has the only empty mask')

  const ct = sharedData.path('coronacases/coronacases_001/ct')
  const slices = await collect(ct)
  t.equal(slices.length, (await collect(ct.replace(/ct$/, 'lesion'))).length)
  t.ok(slices.length > 20)
})
