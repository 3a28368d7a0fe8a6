import { createReadStream } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { decodeAll, type Images } from '../../ts/images'
import { collect, firstPixels, flatGray, image } from './decoded-images'
import { grayPng } from './encoded-images'

/** Unlike AbortSignal.timeout, it keeps the process alive until it aborts. */
function abortSoon(): AbortSignal {
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 20)
  return controller.signal
}

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
    const isNamed = name === 'path' || name.startsWith('file:')
    const expected = { ...image(Uint8Array.of(7, 7), 2, 1, 1), ...(isNamed && { source: 'a b.png' }) }
    t.same(await collect(source), [expected], name)
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
