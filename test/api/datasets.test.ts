import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { decodeSamples, readDataset, type Sample } from '../../ts/datasets'
import { mask, slice, wideMask } from './dataset-files'
import { grayPng } from './encoded-images'
import { withoutPermission } from './permissions'

t.test('samples in memory: arrays, iterables, async iterables; copied at call time', async (t) => {
  const pixels = { data: Uint8Array.of(1, 2, 3, 4), width: 2, height: 2 }
  const labels = { data: Int16Array.of(0, 0, 7, 0), width: 2, height: 2 }
  const samples: Sample[] = [
    { image: pixels, mask: labels, patient: 'A' },
    { image: Buffer.from(slice), label: 0 },
  ]
  async function* generate() {
    yield* samples
  }
  for (const source of [samples, new Set(samples), generate()]) {
    const { samples: read } = await readDataset(source)
    t.match(read, [
      { patient: 'A', origin: 'sample 0' },
      { label: 0, origin: 'sample 1' },
    ])
  }
  const dataset = readDataset(samples)
  pixels.data.fill(99)
  ;(samples[1]!.image as Buffer).fill(0)
  const decoded = []
  for await (const one of decodeSamples((await dataset).samples)) decoded.push(one)
  t.same(decoded[0]?.image.data, Uint8Array.of(1, 2, 3, 4))
  t.same(decoded[0]?.mask?.data, Uint8Array.of(0, 0, 1, 0))
  t.match(decoded[1]?.image, { width: 4, height: 3 })
})

t.test('samples in memory: errors', async (t) => {
  const image = { data: new Uint8Array(4), width: 2, height: 2 }
  const bad: [object, RegExp][] = [
    [{ image, label: 2 }, /^sample 0: the label is 2; it must be 0 or 1/],
    [{ image, label: '1' }, /^sample 0: the label is 1/],
    [{ image }, /^sample 0: neither a label nor a mask/],
    [
      { image, mask: { data: new Uint8Array(9), width: 3, height: 3 } },
      /^sample 0: the mask given in memory has 3 x 3/,
    ],
    [{ image: { ...image, width: 3 }, label: 1 }, /^sample 0: image: data has 4 values/],
    [{ image: { ...image, data: Float32Array.of(0, 0, 0, Number.NaN) }, label: 1 }, /data\[3\] is NaN/],
    [{ image: 7, label: 1 }, /^sample 0: image: got number/],
    [
      { image, mask: { ...image, data: Float32Array.of(0, 0, 0, Number.NaN) } },
      /^sample 0: mask: data\[3\] is NaN/,
    ],
  ]
  for (const [sample, message] of bad) {
    await t.rejects(readDataset([sample] as never), { code: 'BAD_SAMPLE', message }, String(message))
  }
  for (const source of [undefined, null, 7, {}, [null], ['a.png'], [{ label: 1 }]]) {
    await t.rejects(readDataset(source as never), { code: 'INVALID_TYPE' }, JSON.stringify(source))
  }
  await t.rejects(readDataset([]), { code: 'EMPTY_DATASET' })
  const failure = new Error('the database went away')
  async function* failing(): AsyncGenerator<Sample> {
    yield { image, label: 1 }
    throw failure
  }
  await t.rejects(readDataset(failing()), failure, 'errors of the iterable pass through')
})

t.test('what the task needs', async (t) => {
  const directory = t.testdir({
    'a.png': slice,
    'm.png': mask,
    'mixed.csv': 'image,label,mask\na.png,1,m.png\na.png,1,\na.png,,m.png\n',
  })
  const path = join(directory, 'mixed.csv')
  t.equal((await readDataset(path)).samples.length, 3)
  await t.rejects(readDataset(path, { task: 'classification' }), {
    code: 'BAD_SAMPLE',
    message: /^mixed\.csv:4: has no label/,
  })
  await t.rejects(readDataset(path, { task: 'segmentation' }), {
    code: 'BAD_SAMPLE',
    message: /^mixed\.csv:3: has no mask/,
  })
  const { warnings, skipped } = await readDataset(path, { task: 'classification', onBadSample: 'skip' })
  t.match(warnings, [/All 2 samples have the label 1/, /listed more than once/])
  t.match(skipped, [{ origin: 'mixed.csv:4', code: 'BAD_SAMPLE' }])
})

t.test('onBadSample: skip leaves bad samples out and reports every one of them', async (t) => {
  const directory = t.testdir({
    'a.png': slice,
    'm.png': mask,
    'wide.png': wideMask,
    'text.png': 'no image',
    'list.txt':
      'a.png m.png\na.png\ngone.png m.png\na.png wide.png\ntext.png m.png\nsub m.png\n/dev/zero m.png\n',
    'hopeless.txt': 'gone.png m.png\n',
    sub: {},
  })
  const { samples, skipped } = await readDataset(join(directory, 'list.txt'), { onBadSample: 'skip' })
  t.match(samples, [{ origin: 'list.txt:1' }])
  t.equal(samples.length, 1)
  t.same(
    skipped.map(({ origin, code }) => [origin, code]),
    [
      ['list.txt:2', 'BAD_SAMPLE'],
      ['list.txt:3', 'FILE_NOT_FOUND'],
      ['list.txt:4', 'SHAPE_MISMATCH'],
      ['list.txt:5', 'UNSUPPORTED_FORMAT'],
      ['list.txt:6', 'FILE_UNREADABLE'],
      ['list.txt:7', 'FILE_UNREADABLE'],
    ],
  )
  const hopeless = readDataset(join(directory, 'hopeless.txt'), { onBadSample: 'skip' })
  await t.rejects(hopeless, {
    code: 'EMPTY_DATASET',
    message: /all 1 samples were skipped, the first: hopeless\.txt:1/,
  })
})

t.test('damage behind a header shows when samples are decoded, with its origin', async (t) => {
  const noisy = grayPng(64, 64, (x, y) => (x * y * 7919) % 251)
  const directory = t.testdir({
    'a.png': noisy,
    'cut.png': noisy.subarray(0, noisy.length - 500),
    'list.csv': 'image,label\na.png,1\ncut.png,0\na.png,0\n',
  })
  const { samples } = await readDataset(join(directory, 'list.csv'))
  t.equal(samples.length, 3, 'the headers are fine')
  const decodeEach = async (options = {}) => {
    const origins: string[] = []
    for await (const { sample } of decodeSamples(samples, options)) origins.push(sample.origin)
    return origins
  }
  await t.rejects(decodeEach(), {
    code: 'BAD_SAMPLE',
    message: /^list\.csv:3: '.*cut\.png' cannot be decoded/,
  })
  const skipped: unknown[] = []
  t.same(await decodeEach({ onSkip: (bad: unknown) => skipped.push(bad) }), ['list.csv:2', 'list.csv:4'])
  t.match(skipped, [{ origin: 'list.csv:3', code: 'CORRUPT_FILE' }])
  await t.rejects(decodeEach({ signal: AbortSignal.abort() }), { code: 'CANCELLED' })
})

t.test('paths that are no datasets', async (t) => {
  const directory = t.testdir({
    'a.png': slice,
    'latin1.csv': Buffer.from('image,label\n\xe4.png,1\n', 'latin1'),
    'utf16.csv': Buffer.from('\ufeffimage,label\na.png,1\n', 'utf16le'),
    'empty.txt': '',
    'list.txt': 'a.png a.png',
    empty: {},
  })
  await symlink('loop', join(directory, 'loop'))
  const read = (name: string) => readDataset(join(directory, name))
  await t.rejects(read('gone.txt'), { code: 'FILE_NOT_FOUND', message: /gone\.txt/ })
  await t.rejects(read('loop'), { code: 'FILE_UNREADABLE' })
  await t.rejects(readDataset('/dev/zero'), { code: 'FILE_UNREADABLE' })
  await t.rejects(read('a.png'), { code: 'UNSUPPORTED_FORMAT', message: /not a text file/ })
  await t.rejects(read('utf16.csv'), { code: 'UNSUPPORTED_FORMAT', message: /UTF-16/ })
  await t.rejects(read('latin1.csv'), { code: 'CORRUPT_FILE', message: /not UTF-8/ })
  await t.rejects(read('empty.txt'), { code: 'EMPTY_DATASET' })
  await t.rejects(read('empty'), { code: 'EMPTY_DATASET', message: /holds no folders/ })
  await t.rejects(readDataset(''), { code: 'INVALID_ARGUMENT' })
  await t.rejects(readDataset(new URL('https://host/list.csv')), { code: 'INVALID_ARGUMENT' })
  const format = (name: string, format: never) => readDataset({ path: join(directory, name), format })
  await t.rejects(format('list.txt', 'class-folders' as never), {
    code: 'INVALID_ARGUMENT',
    message: /is a file/,
  })
  await t.rejects(format('empty', 'csv' as never), { code: 'INVALID_ARGUMENT', message: /is a directory/ })
  await t.rejects(format('list.txt', 'xml' as never), {
    code: 'INVALID_ARGUMENT',
    message: /no dataset format 'xml'/,
  })
  await withoutPermission(join(directory, 'list.txt'), async () => {
    await t.rejects(read('list.txt'), { code: 'FILE_UNREADABLE', message: /may not be read/ })
  })
})

t.test('cancelling', async (t) => {
  const image = { data: new Uint8Array(4), width: 2, height: 2 }
  await t.rejects(readDataset([{ image, label: 1 }], { signal: AbortSignal.abort() }), { code: 'CANCELLED' })
})
