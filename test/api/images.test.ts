import { createReadStream } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import sharp from 'sharp'
import t from 'tap'
import {
  type DecodeAllOptions,
  type DecodedImage,
  decodeAll,
  decodeImage,
  decodeMask,
  type Images,
  inspectImage,
} from '../../ts/images'
import { encodePng, encodeTiff, grayPng } from './encoded-images'
import { withoutPermission } from './permissions'
import { sharedData } from './shared-data'

const wordBytes = (words: number[]) => new Uint8Array(Uint16Array.from(words).buffer)
const flatGray = (value: number) => grayPng(2, 1, () => value)
const image = (data: DecodedImage['data'], width: number, height: number, channels: 1 | 3): DecodedImage => ({
  data,
  width,
  height,
  channels,
})

/** Unlike AbortSignal.timeout, it keeps the process alive until it aborts. */
function abortSoon(): AbortSignal {
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 20)
  return controller.signal
}

async function collect(images: Images, options?: DecodeAllOptions): Promise<DecodedImage[]> {
  const all: DecodedImage[] = []
  for await (const decoded of decodeAll(images, options)) all.push(decoded)
  return all
}

/** The first pixel of each image: enough to see which images came, and in which order. */
const firstPixels = async (images: Images, options?: DecodeAllOptions) =>
  (await collect(images, options)).map(({ data }) => data[0])

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

t.test('one source: path, URL, bytes, streams, pixels', async (t) => {
  const directory = t.testdir({ 'a b.png': flatGray(7) })
  const path = join(directory, 'a b.png')
  const bytes = flatGray(7)
  const cut = [bytes.subarray(0, 30), bytes.subarray(30)]
  const sources: Record<string, Images> = {
    path,
    'file: URL': pathToFileURL(path),
    'file: address': pathToFileURL(path).href,
    Buffer: bytes,
    Uint8Array: new Uint8Array(bytes),
    ArrayBuffer: new Uint8Array(bytes).buffer,
    'node stream': createReadStream(path),
    'node stream in chunks': Readable.from(cut, { objectMode: false }),
    'web stream': new Blob([bytes]).stream(),
    pixels: { data: Uint8Array.of(7, 7), width: 2, height: 1 },
  }
  for (const [name, source] of Object.entries(sources)) {
    t.same(await collect(source), [image(Uint8Array.of(7, 7), 2, 1, 1)], name)
  }
})

t.test('many sources: arrays, generators, async generators, object streams; order is kept', async (t) => {
  const values = Array.from({ length: 40 }, (_, index) => index)
  // Sizes differ widely, so that a decoder that gave what is ready first would mix them up.
  const pngs = values.map((value) => grayPng(1 + ((value * 37) % 400), 300, () => value))
  t.same(await firstPixels(pngs, { concurrency: 4 }), values)
  t.same(await firstPixels(new Set(pngs), { concurrency: 1 }), values)
  t.same(await firstPixels(Readable.from(pngs)), values, 'a stream in object mode is an iterable')
  async function* generate() {
    for (const png of pngs) {
      await delay(0)
      yield png
    }
  }
  t.same(await firstPixels(generate()), values)
  t.same(await firstPixels([]), [])
})

t.test('a directory is a case: natural order, hidden and other files skipped', async (t) => {
  const directory = t.testdir({
    'slice10.png': flatGray(10),
    'slice2.png': flatGray(2),
    'Slice1.jpeg': flatGray(1),
    slice11: flatGray(11),
    '.hidden.png': flatGray(99),
    'notes.txt': 'no image',
    'empty.txt': '',
    sub: { 'x.png': flatGray(99) },
  })
  await symlink('slice2.png', join(directory, 'slice3.png'))
  const totals: number[] = []
  t.same(await firstPixels(directory, { onTotal: (total) => totals.push(total) }), [1, 2, 2, 10, 11])
  t.same(totals, [1, 5])
  t.same(await firstPixels(pathToFileURL(directory)), [1, 2, 2, 10, 11])
  t.same(await firstPixels([flatGray(0), directory, flatGray(12)]), [0, 1, 2, 2, 10, 11, 12])
})

t.test('a case that cannot be read whole is an error, never a shorter case', async (t) => {
  const directory = t.testdir({
    empty: {},
    nested: { ct: { 'a.png': flatGray(1) } },
    damaged: { '1.png': flatGray(1), '2.png': '' },
    dicom: { 'a.dcm': Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]) },
  })
  const rejection = async (name: string) => firstPixels(join(directory, name))
  await t.rejects(rejection('empty'), { code: 'EMPTY_DATASET', message: /holds no images/ })
  await t.rejects(rejection('nested'), { code: 'EMPTY_DATASET', message: /subdirectories, such as 'ct'/ })
  await t.rejects(rejection('damaged'), { code: 'CORRUPT_FILE', message: /2\.png/ })
  await t.rejects(rejection('dicom'), { code: 'UNSUPPORTED_FORMAT', message: /DICOM/ })
  await t.rejects(rejection('missing'), { code: 'FILE_NOT_FOUND', message: /missing/ })
})

t.test('bytes and pixels are copied at call time', async (t) => {
  const single = Buffer.from(flatGray(7))
  const listed = Buffer.from(flatGray(8))
  const pixels = { data: Buffer.of(9, 9), width: 2, height: 1 }
  const results = [firstPixels(single), firstPixels([listed, pixels])]
  for (const bytes of [single, listed, pixels.data]) bytes.fill(0)
  t.same(await Promise.all(results), [[7], [8, 9]])

  const reused = Buffer.from(flatGray(0))
  function* refill() {
    for (const value of [1, 2, 3]) {
      flatGray(value).copy(reused)
      yield reused
    }
  }
  t.same(await firstPixels(refill(), { concurrency: 3 }), [1, 2, 3], 'a generator may reuse its buffer')
})

t.test(
  'pixels: scaling is left to the type, windows are applied, alpha is composited on black',
  async (t) => {
    const one = (data: DecodedImage['data'] | Int16Array | Uint8ClampedArray, rest = {}) =>
      decodeImage({ data, width: data.length, height: 1, ...rest })
    t.same((await one(Uint8ClampedArray.of(0, 255))).data, Uint8Array.of(0, 255))
    t.same((await one(Uint16Array.of(0, 65535))).data, Uint16Array.of(0, 65535))
    t.same((await one(Float32Array.of(0, 0.5, 1))).data, Float32Array.of(0, 0.5, 1))
    const window = { center: -600, width: 1500 }
    const hounsfield = Int16Array.of(-2000, -1350, -600, 150, 3000)
    t.same((await one(hounsfield, { window })).data, Float32Array.of(0, 0, 0.5, 1, 1))
    t.same(
      (await decodeImage({ data: Int16Array.of(-225), width: 1, height: 1 }, { window })).data,
      Float32Array.of(0.75),
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
  },
)

t.test('unusable pixels', async (t) => {
  const bytes = new Uint8Array(4)
  const cases: Record<string, [object, object]> = {
    'too few values': [
      { data: bytes, width: 3, height: 2 },
      { code: 'SHAPE_MISMATCH', message: /4 values.*asks for 6/ },
    ],
    'channels not told': [{ data: new Uint8Array(12), width: 2, height: 2 }, { code: 'SHAPE_MISMATCH' }],
    'no pixels': [
      { data: new Uint8Array(0), width: 0, height: 0 },
      { code: 'INVALID_ARGUMENT', message: /width is 0/ },
    ],
    'half a pixel': [{ data: bytes, width: 1.5, height: 2 }, { code: 'INVALID_ARGUMENT' }],
    'NaN width': [{ data: bytes, width: Number.NaN, height: 2 }, { code: 'INVALID_ARGUMENT' }],
    'two channels': [{ data: bytes, width: 2, height: 1, channels: 2 }, { code: 'INVALID_ARGUMENT' }],
    'plain array': [
      { data: [1, 2, 3, 4], width: 2, height: 2 },
      { code: 'INVALID_TYPE', message: /Array/ },
    ],
    doubles: [
      { data: new Float64Array(4), width: 2, height: 2 },
      { code: 'INVALID_TYPE', message: /Float64Array/ },
    ],
    NaN: [
      { data: Float32Array.of(0, Number.NaN), width: 2, height: 1 },
      { code: 'NOT_FINITE', message: /data\[1\] is NaN/ },
    ],
    infinity: [
      { data: Float32Array.of(Number.POSITIVE_INFINITY), width: 1, height: 1 },
      { code: 'NOT_FINITE' },
    ],
    'float above 1': [
      { data: Float32Array.of(0, 255), width: 2, height: 1 },
      { code: 'INVALID_ARGUMENT', message: /data\[1\] is 255/ },
    ],
    'no window': [
      { data: new Int16Array(4), width: 2, height: 2 },
      { code: 'INVALID_ARGUMENT', message: /need a window/ },
    ],
    'empty window': [
      { data: new Int16Array(4), width: 2, height: 2, window: { center: 0, width: 0 } },
      { code: 'INVALID_ARGUMENT', message: /window/ },
    ],
    'bad spacing': [
      { data: bytes, width: 2, height: 2, spacing: [0, 1] },
      { code: 'INVALID_ARGUMENT', message: /spacing/ },
    ],
    enormous: [{ data: bytes, width: 1e5, height: 1e5 }, { code: 'INPUT_TOO_LARGE' }],
  }
  for (const [name, [pixels, expected]] of Object.entries(cases)) {
    await t.rejects(decodeImage(pixels as never), { name: 'JcsError', ...expected }, name)
  }
})

t.test('what is no image source at all', async (t) => {
  for (const value of [undefined, null, 7, true, {}, { data: 1 }, () => {}, Symbol('x')]) {
    await t.rejects(async () => collect(value as never), { code: 'INVALID_TYPE' }, String(value))
    await t.rejects(async () => collect([value] as never), { code: 'INVALID_TYPE', message: /image 0/ })
  }
  for (const array of [new Float32Array(4), new Uint16Array(4), new DataView(new ArrayBuffer(4))]) {
    await t.rejects(async () => collect(array as never), { code: 'INVALID_TYPE' }, 'bytes are Uint8Array')
  }
  for (const path of ['', 'a\0b', 'http://[', 'file://remote/share/a.png']) {
    await t.rejects(async () => collect(path), { code: 'INVALID_ARGUMENT' }, JSON.stringify(path))
  }
  await t.rejects(async () => collect(new URL('ftp://host/a.png')), {
    code: 'INVALID_ARGUMENT',
    message: /ftp:/,
  })
  await t.rejects(async () => collect([], { concurrency: 0 }), { code: 'INVALID_ARGUMENT' })
})

t.test('hostile and damaged files', async (t) => {
  const noisy = grayPng(64, 64, (x, y) => (x * y * 7919) % 251)
  const jpeg = await sharp(noisy).jpeg().toBuffer()
  const tiff = await sharp(noisy).tiff({ compression: 'lzw' }).toBuffer()
  const flipped = Buffer.from(noisy)
  flipped[200]! ^= 0xff
  const tiffOf = (bitsPerSample: number, sampleFormat: 1 | 2 | 3) =>
    encodeTiff([{ width: 2, height: 1, bitsPerSample, sampleFormat, data: new Uint8Array(bitsPerSample) }])
  const lying = (width: number, height: number) => encodePng({ width, height, colourType: 0, rows: [[1]] })

  const cases: Record<string, [Uint8Array, string]> = {
    nothing: [Buffer.alloc(0), 'CORRUPT_FILE'],
    'one byte': [Buffer.of(0x89), 'UNSUPPORTED_FORMAT'],
    text: [Buffer.from('this is a text file, not an image'), 'UNSUPPORTED_FORMAT'],
    GIF: [Buffer.from('GIF89a\x01\0\x01\0'), 'UNSUPPORTED_FORMAT'],
    SVG: [
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      'UNSUPPORTED_FORMAT',
    ],
    'PNG signature alone': [noisy.subarray(0, 8), 'CORRUPT_FILE'],
    'PNG header alone': [noisy.subarray(0, 33), 'CORRUPT_FILE'],
    'PNG cut short': [noisy.subarray(0, noisy.length - 500), 'CORRUPT_FILE'],
    'PNG with a flipped byte': [flipped, 'CORRUPT_FILE'],
    'PNG without width': [lying(0, 5), 'CORRUPT_FILE'],
    'PNG claiming 100,000 x 100,000': [lying(100_000, 100_000), 'INPUT_TOO_LARGE'],
    'PNG claiming 8000 x 8000 in a few bytes': [lying(8000, 8000), 'CORRUPT_FILE'],
    'PNG claiming 2^32 - 1': [lying(0xffffffff, 1), 'CORRUPT_FILE'],
    'JPEG signature alone': [jpeg.subarray(0, 3), 'CORRUPT_FILE'],
    'JPEG cut in half': [jpeg.subarray(0, jpeg.length / 2), 'CORRUPT_FILE'],
    'JPEG without its end': [jpeg.subarray(0, jpeg.length - 2), 'CORRUPT_FILE'],
    'TIFF signature alone': [tiff.subarray(0, 4), 'CORRUPT_FILE'],
    'TIFF cut in half': [tiff.subarray(0, tiff.length / 2), 'CORRUPT_FILE'],
    'TIFF of signed values': [tiffOf(16, 2), 'UNSUPPORTED_FORMAT'],
    'TIFF of floats': [tiffOf(32, 3), 'UNSUPPORTED_FORMAT'],
    CMYK: [await sharp(noisy).toColourspace('cmyk').jpeg().toBuffer(), 'UNSUPPORTED_FORMAT'],
  }
  for (const [name, [bytes, code]] of Object.entries(cases)) {
    await t.rejects(decodeImage(bytes), { name: 'JcsError', code }, name)
    await t.rejects(collect([flatGray(1), bytes]), { code }, `${name}, in an array`)
  }
  await t.rejects(decodeImage(noisy, { maxPixels: 4095 }), {
    code: 'INPUT_TOO_LARGE',
    message: /64 x 64.*4095/,
  })
})

t.test('paths that cannot be read', async (t) => {
  const directory = t.testdir({ 'a.png': flatGray(1), sub: {} })
  await symlink('loop', join(directory, 'loop'))
  await symlink('nowhere', join(directory, 'dangling'))
  await t.rejects(collect(join(directory, 'b.png')), { code: 'FILE_NOT_FOUND', message: /b\.png/ })
  await t.rejects(collect(join(directory, 'dangling')), { code: 'FILE_NOT_FOUND' })
  await t.rejects(collect(join(directory, 'a.png/b.png')), { code: 'FILE_NOT_FOUND' })
  await t.rejects(collect('x'.repeat(5000)), { code: 'FILE_NOT_FOUND' })
  await t.rejects(collect(join(directory, 'loop')), { code: 'FILE_UNREADABLE', message: /symbolic link/ })
  await t.rejects(decodeImage(join(directory, 'sub')), { code: 'FILE_UNREADABLE', message: /is a directory/ })
  await t.rejects(decodeImage('/dev/zero'), { code: 'FILE_UNREADABLE', message: /neither a file nor/ })
})

t.test('files and directories without permission', async (t) => {
  const directory = t.testdir({ 'a.png': flatGray(1), sub: {} })
  for (const name of ['a.png', 'sub']) {
    const path = join(directory, name)
    const expected = { code: 'FILE_UNREADABLE', message: /may not be read/ }
    await withoutPermission(path, async () => {
      await t.rejects(collect(path), expected, name)
    })
  }
})

t.test('streams that fail, that give no bytes, that were used', async (t) => {
  const failing = () =>
    new Readable({
      read() {
        this.destroy(new Error('the disk caught fire'))
      },
    })
  await t.rejects(collect(failing()), { code: 'FILE_UNREADABLE', message: /the disk caught fire/ })
  await t.rejects(collect(Readable.toWeb(failing()) as never), { code: 'FILE_UNREADABLE' })
  const text = Readable.from([flatGray(1).toString('latin1')], { objectMode: false, encoding: 'latin1' })
  await t.rejects(collect(text), { code: 'INVALID_TYPE', message: /must give bytes/ })
  await t.rejects(collect(Readable.from([], { objectMode: false })), {
    code: 'CORRUPT_FILE',
    message: /empty/,
  })

  const used = new Blob([flatGray(1)]).stream()
  t.same(await firstPixels(used), [1])
  await t.rejects(collect(used), { code: 'INVALID_ARGUMENT', message: /read already/ })
  const locked = new Blob([flatGray(1)]).stream()
  locked.getReader()
  await t.rejects(collect(locked), { code: 'INVALID_ARGUMENT', message: /in use/ })
})

t.test('addresses', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/a.png?token=secret') response.end(flatGray(7))
    else if (request.url === '/slow') response.writeHead(200).write('x')
    else if (request.url === '/broken')
      response.writeHead(200, { 'content-length': '1000' }).write('x', () => response.destroy())
    else response.writeHead(request.url === '/denied' ? 403 : 404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number }
  const base = `http://127.0.0.1:${port}`
  t.same(await firstPixels(`${base}/a.png?token=secret`), [7])
  t.same(await firstPixels(new URL(`${base}/a.png?token=secret`)), [7])
  await t.rejects(collect(`${base}/missing?token=secret`), {
    code: 'FILE_NOT_FOUND',
    message: `'${base}/missing' cannot be fetched: the server answered 404 Not Found`,
  })
  await t.rejects(collect(`${base}/denied`), { code: 'FILE_UNREADABLE', message: /403/ })
  await t.rejects(collect(`${base}/broken`), { code: 'FILE_UNREADABLE' })
  await t.rejects(collect('http://127.0.0.1:1/'), { code: 'FILE_UNREADABLE', message: /cannot be fetched/ })
  await t.rejects(collect(`${base}/slow`, { signal: AbortSignal.timeout(50) }), { code: 'CANCELLED' })
})

t.test('cancelling: before, between, and while a source hangs', async (t) => {
  await t.rejects(collect([flatGray(1)], { signal: AbortSignal.abort() }), { code: 'CANCELLED' })

  let returned = false
  const endless = {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false as const, value: flatGray(1) }),
      return: async () => {
        returned = true
        return { done: true as const, value: undefined }
      },
    }),
  }
  const controller = new AbortController()
  let count = 0
  const consume = async () => {
    for await (const _ of decodeAll(endless, { signal: controller.signal }))
      if (++count === 10) controller.abort('enough')
  }
  await t.rejects(consume(), { code: 'CANCELLED', cause: 'enough' })
  t.ok(returned, 'the source was told')

  const hanging = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
  await t.rejects(collect(hanging, { signal: abortSoon() }), { code: 'CANCELLED' })
  const hangingStream = new Readable({ read() {} })
  await t.rejects(collect(hangingStream, { signal: abortSoon() }), { code: 'CANCELLED' })
  t.ok(hangingStream.destroyed)
})

t.test('leaving early closes the source; what it reads ahead is bounded', async (t) => {
  let pulled = 0
  let closed = false
  function* generate() {
    try {
      while (true) {
        pulled++
        yield flatGray(pulled)
      }
    } finally {
      closed = true
    }
  }
  for await (const { data } of decodeAll(generate(), { concurrency: 3 })) {
    await delay(5)
    if (data[0] === 5) break
  }
  t.ok(closed)
  t.ok(pulled <= 5 + 3, `${pulled} pulled`)
})

t.test(
  'an iterable that throws: its error passes through; a failure later in line comes in its turn',
  async (t) => {
    const failure = new Error('the database went away')
    function* generate() {
      yield flatGray(1)
      throw failure
    }
    await t.rejects(collect(generate()), failure)

    const seen: number[] = []
    const consume = async () => {
      const sources = [flatGray(1), flatGray(2), Buffer.from('no image'), flatGray(4)]
      for await (const { data } of decodeAll(sources, { concurrency: 1 })) seen.push(data[0]!)
    }
    await t.rejects(consume(), { code: 'UNSUPPORTED_FORMAT', message: /image 2/ })
    t.same(seen, [1, 2])
  },
)

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

  await t.rejects(collect(sharedData.path('dicom/siemens-thorax')), {
    code: 'UNSUPPORTED_FORMAT',
    message: /DICOM/,
  })
  await t.rejects(collect(sharedData.path('nifti/chest_cropped.nii.gz')), {
    code: 'UNSUPPORTED_FORMAT',
    message: /NIfTI/,
  })
})
