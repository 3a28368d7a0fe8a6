import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { errorMeanings, JcsError, readError, toJcsError, writeError } from '../../ts/base/errors'

const root = join(__dirname, '../..')
const codes = Object.keys(errorMeanings).sort()

t.test('docs/errors.md has one section for every code and none besides', async (t) => {
  const page = readFileSync(join(root, 'docs/errors.md'), 'utf8')
  const sections = page.split(/^### /m).slice(1)
  t.same(sections.map((section) => section.split('\n')[0]).sort(), codes)
  for (const section of sections) {
    const [code, ...body] = section.split('\n')
    t.match(body.join('\n'), /\*\*Cause\*\*.+\n\*\*What to do\*\*.+/, `${code} says its cause and what to do`)
  }
})

t.test('every code that native code can give is one of the documented codes', async (t) => {
  const header = readFileSync(join(root, 'native/core/error.h'), 'utf8')
  const nativeCodes = [...header.matchAll(/constexpr const char\* k\w+ = "(\w+)"/g)].map((match) => match[1]!)
  t.ok(nativeCodes.length > 20, 'the codes were found in the header')
  for (const code of nativeCodes) t.ok(codes.includes(code), code)
})

t.test('native errors keep their code and message', async (t) => {
  const native = { code: 'SHAPE_MISMATCH', message: 'conv1: expected 3 channels, got 4' }
  const error = toJcsError(native)
  t.type(error, JcsError)
  t.type(error, Error)
  t.equal(error.code, 'SHAPE_MISMATCH')
  t.equal(error.message, native.message)
  t.equal(error.cause, native)
  t.match(error.stack, 'errors.test.ts', 'the stack is the caller’s')
  t.equal(toJcsError(error), error, 'our own error passes as it is')
})

t.test('whatever carries no code of ours becomes INTERNAL and keeps its cause', async (t) => {
  const foreign = Object.assign(new Error('boom'), { code: 'ERR_BOOM' })
  for (const value of [foreign, 'boom', undefined, null, 7, { code: 'toString', message: 'boom' }]) {
    const error = toJcsError(value)
    t.equal(error.code, 'INTERNAL')
    t.equal(error.cause, value)
  }
  t.match(toJcsError(foreign).message, 'boom')
})

t.test('file system errors are translated', async (t) => {
  const failure = (code: string) => Object.assign(new Error(`${code}: something`), { code })
  t.match(readError(failure('ENOENT'), 'a.png'), {
    code: 'FILE_NOT_FOUND',
    message: "'a.png' does not exist",
  })
  t.match(readError(failure('EACCES'), 'a.png'), { code: 'FILE_UNREADABLE', message: /may not be read/ })
  t.match(readError(failure('EIO'), 'a.png'), { code: 'FILE_UNREADABLE', message: /EIO: something/ })
  t.match(writeError(failure('ENOSPC'), 'm.bin'), { code: 'DISK_FULL', message: /no space is left/ })
  t.match(writeError(failure('EROFS'), 'm.bin'), { code: 'FILE_UNWRITABLE', message: /read-only/ })
  t.match(writeError(failure('EIO'), 'm.bin'), { code: 'FILE_UNWRITABLE', message: /EIO/ })
})
