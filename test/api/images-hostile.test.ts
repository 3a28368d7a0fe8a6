import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import sharp from 'sharp'
import t from 'tap'
import { collect, decodeImage, firstPixels, flatGray } from './decoded-images'
import { encodePng, encodeTiff, grayPng } from './encoded-images'
import { withoutPermission } from './permissions'

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
  await t.rejects(rejection('dicom'), { code: 'CORRUPT_FILE', message: /no transfer syntax/ })
  await t.rejects(rejection('missing'), { code: 'FILE_NOT_FOUND', message: /missing/ })
})

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
